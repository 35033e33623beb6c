import { CLIHelper } from '@mikro-orm/cli';
import { RunUsageError, reasonOf } from '../errors/index.js';
import type { CommandLine, TenantCommand } from './command-line.js';
import { EXIT } from './exit.js';
import { count, print, printError, writeJson } from './output.js';
import { selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** Adds the commands that show and change on which node of Citus tenants are. */
export function addPlacementCommands(
  commandLine: CommandLine,
  run: (command: TenantCommand, args: TenantArgs) => Promise<void>,
  options: { readonly selection: Options; readonly output: Options; readonly tenants: Option },
): void {
  const json = options.output['json'] ?? {};
  const add = (command: string, describe: string, given: Options, handler: TenantCommand): void =>
    void commandLine.command({
      command,
      describe,
      builder: args => Object.entries(given).reduce((all, [name, option]) => all.option(name, option), args),
      handler: args => run(handler, args),
    });

  add(
    'tenant:placement',
    'Show the node of Citus on which each tenant is',
    { tenants: options.tenants, ...options.selection, json },
    showPlacement,
  );
  add('tenant:move <tenant> <node>', 'Move a tenant to another node of Citus (host:port), while it is served', { json }, move);
  add('tenant:rebalance', 'Move tenants until the nodes of Citus have as much as each other', { ...REBALANCE, json }, rebalance);
  add(
    'tenant:distribute',
    'Place tenants on nodes of Citus that are on the coordinator',
    { tenants: { ...options.tenants, desc: 'All tenants, or those with the given schema names' }, ...options.selection, json },
    distribute,
  );
}

function showPlacement(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async service => {
    const placements = await service.placement(selectionOf(args));

    if (args.json === true) {
      placements.forEach(each => writeJson('placement', each));

      return EXIT.done;
    }

    CLIHelper.dumpTable({
      columns: ['Tenant', 'Node'],
      rows: placements.map(({ schemaName, node }) => [schemaName, node]),
      empty: 'No tenants found',
    });
    const nodes = new Map<string, number>();
    placements.forEach(({ node }) => nodes.set(node, (nodes.get(node) ?? 0) + 1));
    [...nodes].toSorted(([a], [b]) => a.localeCompare(b)).forEach(([node, tenants]) => print(`${node}: ${count(tenants, 'tenant')}`));

    return EXIT.done;
  });
}

function move(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async service => {
    const moved = await service.move(args.tenant ?? '', args.node ?? '');

    if (args.json === true) {
      writeJson('moved', moved);
    } else {
      print(
        moved.from === moved.to
          ? `${moved.schemaName} is on ${moved.to} already`
          : `${moved.schemaName} moved from ${moved.from} to ${moved.to} in ${Math.round(moved.durationMs)} ms`,
        'green',
      );
    }

    return EXIT.done;
  });
}

function rebalance(args: TenantArgs): Promise<number> {
  const { by = 'size', json, dryRun = false } = args;

  if (by !== 'size' && by !== 'count') {
    throw RunUsageError.option('--by', by, '`size` or `count`');
  }

  return withTenantsOf(args, async service => {
    const { moved, failed } = await service.rebalance({
      by,
      dryRun,
      onMove: each =>
        json === true ? writeJson('move', each) : print(`${each.schemaName}: ${each.from} → ${each.to}${dryRun ? ' (not moved)' : ''}`),
    });

    if (json === true) {
      failed.forEach(({ schemaName, error }) => writeJson('failed', { schemaName, error: reasonOf(error) }));
      writeJson('summary', { moved: dryRun ? 0 : moved.length, planned: moved.length + failed.length, failed: failed.length });
    } else {
      failed.forEach(({ schemaName, error }) => printError(`${schemaName}: ${reasonOf(error)}`));
      print(
        `${count(moved.length, 'tenant')} ${dryRun ? 'would be ' : ''}moved${failed.length > 0 ? `, ${failed.length} not` : ''}`,
        'green',
      );
    }

    return failed.length > 0 ? EXIT.failed : EXIT.done;
  });
}

function distribute(args: TenantArgs): Promise<number> {
  // all of them wait while they are copied, so that they are not meant by accident
  if (args.tenants === undefined) {
    throw RunUsageError.option('--tenants', args.tenants, 'given: alone for all tenants, or with schema names');
  }

  return withTenantsOf(args, async service => {
    const plain = (await service.placement(selectionOf(args))).filter(({ isSharded }) => !isSharded);
    let failures = 0;

    for (const { schemaName } of plain) {
      try {
        await service.distribute(schemaName);
        report(args, schemaName);
      } catch (error) {
        failures += 1;
        report(args, schemaName, error);
      }
    }

    if (args.json === true) {
      writeJson('summary', { distributed: plain.length - failures, failed: failures });
    } else {
      print(`${count(plain.length - failures, 'tenant')} distributed${failures > 0 ? `, ${failures} not` : ''}`, 'green');
    }

    return failures > 0 ? EXIT.failed : EXIT.done;
  });
}

function report({ json }: TenantArgs, schemaName: string, error?: unknown): void {
  if (json === true) {
    writeJson('distributed', { schemaName, ok: error === undefined, ...(error === undefined ? {} : { error: reasonOf(error) }) });
  } else if (error === undefined) {
    print(`${schemaName} distributed`);
  } else {
    printError(`${schemaName}: ${reasonOf(error)}`);
  }
}

type Options = Readonly<Record<string, Option>>;

type Option = object;

const REBALANCE: Options = {
  by: { type: 'string', desc: 'What the nodes are to have as much of: bytes (size) or tenants (count)  [default: size]' },
  'dry-run': { type: 'boolean', desc: 'Print what would be moved, and move nothing' },
};
