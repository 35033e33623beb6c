import { colors } from '@mikro-orm/core';
import { RunUsageError } from '../errors/index.js';
import type { TenantArgs } from './tenant-args.js';
import { EXIT } from './exit.js';
import type { CommandHandler, TenantCommand } from './command-line.js';
import { withTenantsOf } from './with-tenants-of.js';

/**
 * Adds `--tenants` to the commands that drop all tables of the public schema, and with them the table of tenants. With it they drop the
 * tenants' schemas first. Without it they do what MikroORM's own do, and say which schemas are left.
 */
export function addToDroppingCommands(
  handlers: Readonly<Record<string, CommandHandler>>,
  run: (command: TenantCommand, args: TenantArgs) => Promise<void>,
): void {
  for (const [name, { runs }] of Object.entries(DROPPING)) {
    const stock = handlers[name];

    if (stock === undefined) {
      continue;
    }

    const { builder, handler } = stock;
    stock.builder = args => builder(args).option('tenants', TENANTS_OPTION);
    stock.handler = async args => {
      if (!runs(args)) {
        return args.tenants === undefined || args.dump === true ? handler(args) : run(refuseWithoutRun, args);
      }

      const { tenants, ...stockArgs } = args;
      let left: readonly string[] | undefined;
      await run(async each => {
        left = await (tenants === undefined ? leftBehind(each) : drop(each, tenants));

        return EXIT.done;
      }, args);

      // refused, and said why
      if (left === undefined) {
        return;
      }

      await handler(stockArgs);

      if (left.length > 0) {
        console.error(
          colors.yellow(
            `The schemas of tenants are left: ${left.join(', ')}. No tenant of such a name can be created. To drop them, run \`mikro-orm ${name} --tenants ${left.join(' ')}\`.`,
          ),
        );
      }
    };
  }
}

// MikroORM's own command prints an empty help, and counts it as done
async function refuseWithoutRun(): Promise<never> {
  throw RunUsageError.option('--run', undefined, 'given for this command to drop anything');
}

async function drop(args: TenantArgs, names: readonly string[]): Promise<readonly string[]> {
  let left: readonly string[] = [];
  await withTenantsOf(args, async service => {
    const dropped = await service.dropSchemas(names);
    left = await service.ownedSchemas();

    if (args.quiet !== true && dropped.length > 0) {
      console.log(colors.green(`Dropped the schemas of tenants: ${dropped.join(', ')}`));
    }

    return EXIT.done;
  });

  return left;
}

async function leftBehind(args: TenantArgs): Promise<readonly string[]> {
  let left: readonly string[] = [];

  try {
    await withTenantsOf(args, async service => {
      left = args.dropDb === true ? [] : await service.ownedSchemas();

      return EXIT.done;
    });
  } catch {
    // a config without tenants, or a database that MikroORM's own command creates
  }

  return left;
}

const TENANTS_OPTION = {
  array: true,
  type: 'string',
  desc: 'Drop the schemas of all tenants too, with all data. Names are for schemas that have no tenant any more',
} as const;

const DROPPING: Readonly<Record<string, { readonly runs: (args: TenantArgs) => boolean }>> = {
  'migration:fresh': { runs: () => true },
  'schema:drop': { runs: ({ run }) => run === true },
  'schema:fresh': { runs: ({ run }) => run === true },
};
