import { MigrationError, RunUsageError } from '../errors/index.js';
import type { HistoryChange } from '../migrations/run/change-histories.js';
import { print, writeJson } from './output.js';
import { migrationNameOf, optionsOf, reportRun, showPreview } from './run-command.js';
import type { TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `migration:log --tenants` and `migration:unlog --tenants` */
export function recordForTenants(args: TenantArgs, kind: 'log' | 'unlog'): Promise<number> {
  return change(args, kind === 'log' ? 'recorded' : 'removed', { kind, name: migrationNameOf(args.name ?? '') });
}

/** `migration:rename --tenants --from OLD --to NEW` */
export async function renameForTenants(args: TenantArgs): Promise<number> {
  const { from, to, tenants } = args;

  if (tenants === undefined) {
    throw RunUsageError.withoutTenants('migration:rename');
  }

  for (const [option, value] of [
    ['--from', from],
    ['--to', to],
  ] as const) {
    if (value === undefined || value === '') {
      throw RunUsageError.option(option, value, 'the name of a migration');
    }
  }

  return change(args, 'renamed', { kind: 'rename', name: migrationNameOf(from ?? ''), to: migrationNameOf(to ?? '') });
}

/** `migration:rollup --tenants` */
export async function rollUpForTenants(args: TenantArgs): Promise<number> {
  if (args.tenants !== undefined && args.tenants.length > 0) {
    throw MigrationError.oneSetForAll(args.tenants);
  }

  return withTenantsOf(args, async tenants => {
    const { direction: _direction, ...options } = optionsOf(args, 'up');

    if (args.dryRun === true) {
      return showPreview(await tenants.previewRollUp(), args);
    }

    return reportRun(args, 'with the combined migration', async listeners => {
      const result = await tenants.rollUpMigrations({ ...options, ...listeners });

      if (args.json === true) {
        writeJson('rollup', { fileName: result.fileName });
      } else {
        print(`${result.fileName} successfully created in the tenant set. It stands for the migrations that were there before.`, 'green');
      }

      return result;
    });
  });
}

function change(args: TenantArgs, done: string, what: HistoryChange): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const { direction: _direction, to: _to, from: _from, migrations: _migrations, ...options } = optionsOf(args, 'up');

    return args.dryRun === true
      ? showPreview(await tenants.previewChange(what, options), args)
      : reportRun(args, done, listeners => tenants.changeHistories(what, { ...options, ...listeners }));
  });
}
