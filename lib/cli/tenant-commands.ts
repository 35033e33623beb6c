import { CLIHelper } from '@mikro-orm/cli';
import { colors } from '@mikro-orm/core';
import { MigrationError, reasonOf } from '../errors/index.js';
import type { TenantMigrationStatus } from '../migrations/run/status.js';
import { EXIT } from './exit.js';
import { count } from './reporters.js';
import { selectionOf, type TenantArgs } from './tenant-args.js';
import { withTenantsOf } from './with-tenants-of.js';

/** `migration:create --tenants` */
export async function createForTenants(args: TenantArgs): Promise<number> {
  if (args.tenants !== undefined && args.tenants.length > 0) {
    throw MigrationError.oneSetForAll(args.tenants);
  }

  return withTenantsOf(args, async tenants => {
    const { path, name, blank, initial, dropMoved } = args;
    const created = await tenants.createMigration({
      ...(path === undefined ? {} : { path }),
      ...(name === undefined ? {} : { name }),
      ...(blank === undefined ? {} : { blank }),
      ...(initial === undefined ? {} : { initial }),
      ...(dropMoved === undefined ? {} : { dropMoved }),
    });

    if (created.fileName === '') {
      CLIHelper.info(colors.green('No changes required, the tenant set is up-to-date'));
      return EXIT.done;
    }

    if (args.dump === true) {
      dumpSql('up', created.diff.up);
      dumpSql('down', created.diff.down);
    }

    CLIHelper.info(colors.green(`${created.fileName} successfully created in the tenant set`));
    return EXIT.done;
  });
}

/** `migration:list --tenants` */
export function listOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const histories = await tenants.histories(selectionOf(args));

    if (args.json === true) {
      for (const { schemaName, executed, error } of histories) {
        executed.forEach(({ name, executedAt }) => writeJson('migration', { schemaName, name, executedAt: executedAt.toISOString() }));

        if (error !== undefined) {
          writeJson('migration', { schemaName, error: reasonOf(error) });
        }
      }
    } else {
      CLIHelper.dumpTable({
        columns: ['Tenant', 'Name', 'Executed at'],
        rows: histories.flatMap(({ schemaName, executed, error }) => [
          ...executed.map(({ name, executedAt }) => [schemaName, name, executedAt.toISOString()]),
          ...(error === undefined ? [] : [[schemaName, `(${reasonOf(error)})`, '']]),
        ]),
        empty: 'No migrations executed yet in any tenant',
      });
    }

    return EXIT.done;
  });
}

/** `migration:pending --tenants` */
export function pendingOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    dumpPending(args, (await tenants.status(selectionOf(args))).tenants);

    return EXIT.done;
  });
}

/** `migration:check --tenants`: whether the tenant entities have changed since the last migration, and whether a tenant is not up to date. */
export function checkTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const { tenants: statuses } = await tenants.status(selectionOf(args));
    const behind = statuses.filter(({ pending, hasSchema, error }) => pending.length > 0 || !hasSchema || error !== undefined);
    const hasChanges = await tenants.needsMigration();
    const code = hasChanges || behind.length > 0 ? EXIT.failed : EXIT.done;

    if (args.json === true) {
      behind.forEach(status => writeJson('tenant', asJson(status)));
      writeJson('check', { hasChanges, total: statuses.length, behind: behind.length });
      return code;
    }

    if (hasChanges) {
      CLIHelper.dump(colors.yellow('Changes detected. Please create migration to update schema: migration:create --tenants.'));
    }

    if (behind.length > 0) {
      dumpPending(args, behind);
      CLIHelper.dump(colors.yellow(`${count(behind.length, 'tenant')} not up-to-date. Run migration:up --tenants.`));
    }

    if (!hasChanges && behind.length === 0) {
      CLIHelper.info(colors.green(`No changes required, ${count(statuses.length, 'tenant')} up-to-date`));
    }

    return code;
  });
}

/** `tenant:status`: the migrations of each tenant, and the schemas without a tenant. */
export function statusOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const { tenants: statuses, orphans } = await tenants.status(selectionOf(args));

    if (args.json === true) {
      statuses.forEach(status => writeJson('tenant', asJson(status)));
      writeJson('orphans', { schemaNames: orphans });
      return EXIT.done;
    }

    CLIHelper.dumpTable({
      columns: ['Tenant', 'Applied', 'Latest', 'Pending', 'Remarks'],
      rows: statuses.map(status => [
        status.schemaName,
        String(status.executed.length),
        status.executed.at(-1) ?? '',
        String(status.pending.length),
        remarksOn(status),
      ]),
      empty: 'No tenants found',
    });

    if (orphans.length > 0) {
      CLIHelper.dump(colors.yellow(`Schemas without a tenant: ${orphans.join(', ')}`));
    }

    return EXIT.done;
  });
}

function asJson({ error, ...status }: TenantMigrationStatus): object {
  return error === undefined ? status : { ...status, error: { code: error.code, message: reasonOf(error) } };
}

function remarksOn({ hasSchema, error, unknown }: TenantMigrationStatus): string {
  return [...problemsOf({ hasSchema, error }), ...(unknown.length > 0 ? [`unknown: ${unknown.join(', ')}`] : [])].join('; ');
}

/** Why the migrations of a tenant are not known. */
function problemsOf({ hasSchema, error }: { readonly hasSchema: boolean; readonly error: Error | undefined }): string[] {
  return [...(hasSchema ? [] : [NO_SCHEMA]), ...(error === undefined ? [] : [`(${reasonOf(error)})`])];
}

function dumpPending({ json }: TenantArgs, statuses: readonly TenantMigrationStatus[]): void {
  if (json === true) {
    statuses.forEach(status => writeJson('tenant', asJson(status)));
    return;
  }

  CLIHelper.dumpTable({
    columns: ['Tenant', 'Name'],
    rows: statuses.flatMap(({ schemaName, hasSchema, error, pending }) =>
      [...problemsOf({ hasSchema, error }), ...(hasSchema ? pending : [])].map(name => [schemaName, name]),
    ),
    empty: 'No pending migrations in any tenant',
  });
}

function writeJson(event: string, values: object): void {
  console.log(JSON.stringify({ event, ...values }));
}

function dumpSql(direction: string, statements: readonly string[]): void {
  CLIHelper.dump(colors.green(`${direction}:`));
  CLIHelper.dump(statements.map(sql => `  ${sql}`).join('\n'));
}

const NO_SCHEMA = '(has no schema in the database)';
