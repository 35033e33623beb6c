import { CLIHelper } from '@mikro-orm/cli';
import { colors } from '@mikro-orm/core';
import { MigrationError, reasonOf } from '../errors.js';
import type { TenantMigrationStatus, TenantRunResult } from '../migrations/run.js';
import { Tenants } from '../provisioning/tenants.js';
import { Tenancy } from '../tenancy.js';
import { EXIT } from './run-cli.js';
import type { TenantArgs } from './tenant-options.js';

/** `migration:create --tenants` */
export async function createForTenants(args: TenantArgs): Promise<number> {
  if (args.tenants !== undefined && args.tenants.length > 0) {
    throw MigrationError.oneSetForAll(args.tenants);
  }

  return withTenantsOf(args, async tenants => {
    const { path, name, blank, initial } = args;
    const created = await tenants.createMigration({
      ...(path === undefined ? {} : { path }),
      ...(name === undefined ? {} : { name }),
      ...(blank === undefined ? {} : { blank }),
      ...(initial === undefined ? {} : { initial }),
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

/** `migration:up --tenants` and `migration:down --tenants` */
export function runForTenants(args: TenantArgs, direction: 'up' | 'down'): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const { tenants: only = [], from, skipPublicCheck = false } = args;
    const result = await tenants.migrate({
      direction,
      only,
      skipPublicCheck,
      ...(from === undefined ? {} : { from: fullName(from) }),
      ...(args.to === undefined ? {} : { to: args.to === '0' ? 0 : fullName(args.to) }),
      ...(args.only === undefined || args.to !== undefined || from !== undefined
        ? {}
        : { migrations: args.only.split(/[, ]+/).map(fullName) }),
      onProgress: reportTenant,
    });
    reportSummary(result.tenants, direction);

    return result.failed.length > 0 ? EXIT.failed : EXIT.done;
  });
}

/** `migration:list --tenants` */
export function listOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const statuses = await statusOf(tenants, args);
    CLIHelper.dumpTable({
      columns: ['Tenant', 'Name', 'Executed at'],
      rows: statuses.flatMap(({ schemaName, executed }) =>
        executed.map(({ name, executedAt }) => [schemaName, name, executedAt.toISOString()]),
      ),
      empty: 'No migrations executed yet in any tenant',
    });

    return EXIT.done;
  });
}

/** `migration:pending --tenants` */
export function pendingOfTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    dumpPending(await statusOf(tenants, args));

    return EXIT.done;
  });
}

/** `migration:check --tenants`: whether the tenant entities have changed since the last migration, and whether a tenant is behind. */
export function checkTenants(args: TenantArgs): Promise<number> {
  return withTenantsOf(args, async tenants => {
    const statuses = await statusOf(tenants, args);
    const behind = statuses.filter(({ pending, hasSchema }) => pending.length > 0 || !hasSchema);
    const hasChanges = await tenants.needsMigration();

    if (hasChanges) {
      CLIHelper.dump(colors.yellow('Changes detected. Please create migration to update schema: migration:create --tenants.'));
    }

    if (behind.length > 0) {
      dumpPending(behind);
      CLIHelper.dump(colors.yellow(`${count(behind.length, 'tenant')} behind. Run migration:up --tenants.`));
    }

    if (!hasChanges && behind.length === 0) {
      CLIHelper.info(colors.green(`No changes required, ${count(statuses.length, 'tenant')} up-to-date`));
    }

    return hasChanges || behind.length > 0 ? EXIT.failed : EXIT.done;
  });
}

async function withTenantsOf(args: TenantArgs, fn: (tenants: Tenants) => Promise<number>): Promise<number> {
  CLIHelper.quiet = args.quiet ?? false;
  const orm = await CLIHelper.getORM(args.contextName, args.config);

  try {
    return await fn(new Tenants(Tenancy.of(orm.config)));
  } finally {
    await orm.close(true);
  }
}

async function statusOf(tenants: Tenants, { tenants: only = [] }: TenantArgs): Promise<readonly TenantMigrationStatus[]> {
  return (await tenants.status({ only })).tenants;
}

function reportTenant(result: TenantRunResult): void {
  if (!result.ok) {
    // a failure is no auxiliary output: it is shown with `--quiet` too
    CLIHelper.dump(colors.red(`${result.schemaName}: failed: ${reasonOf(result.error)}`));
  } else if (result.migrations.length > 0) {
    CLIHelper.info(`${result.schemaName}: ${result.migrations.join(', ')}`);
  } else {
    CLIHelper.info(colors.grey(`${result.schemaName}: nothing to do`));
  }
}

function reportSummary(results: readonly TenantRunResult[], direction: 'up' | 'down'): void {
  const failed = results.filter(result => !result.ok).length;
  const done = results.filter(result => result.ok && result.migrations.length > 0).length;
  const summary = `${count(results.length, 'tenant')}: ${done} migrated ${direction}, ${results.length - done - failed} with nothing to do, ${failed} failed`;

  if (failed > 0) {
    CLIHelper.dump(colors.red(`${summary}. Mend what is named above and run the same command again: it does only what is left.`));
  } else {
    CLIHelper.info(colors.green(summary));
  }
}

function dumpPending(statuses: readonly TenantMigrationStatus[]): void {
  CLIHelper.dumpTable({
    columns: ['Tenant', 'Name'],
    rows: statuses.flatMap(({ schemaName, hasSchema, pending }) =>
      hasSchema ? pending.map(name => [schemaName, name]) : [[schemaName, '(has no schema in the database)']],
    ),
    empty: 'No pending migrations in any tenant',
  });
}

function dumpSql(direction: string, statements: readonly string[]): void {
  CLIHelper.dump(colors.green(`${direction}:`));
  CLIHelper.dump(statements.map(sql => `  ${sql}`).join('\n'));
}

/** A migration may be named by its time stamp alone, as the stock command allows. */
function fullName(name: string): string {
  const withoutEnding = name.replace(/\.[cm]?[jt]s$/, '');

  return /^\d{14}$/.test(withoutEnding) ? `Migration${withoutEnding}` : withoutEnding;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
