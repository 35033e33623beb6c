import type { Transaction } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { MigrationError } from '../errors.js';
import { quoteIdentifier, searchPathOf } from '../schema-name.js';
import type { Tenancy } from '../tenancy.js';
import { History } from './history.js';
import type { TenantRun } from './migrate-tenant.js';
import type { TenantMigration } from './migration-set.js';

/**
 * Runs one migration that says it cannot run in a transaction, on one connection that is its alone while it runs: statement by
 * statement, with the tenant's path set for the session and reset whatever happens. It is recorded when it has succeeded as a whole;
 * what a failure leaves behind is named.
 *
 * @throws MigrationError `MIGRATION_FAILED`
 */
export async function migrateOutsideTransaction(
  tenancy: Tenancy,
  schemaName: string,
  { name, MigrationClass }: TenantMigration,
  { target: { direction }, lockTimeoutMs, statementTimeoutMs }: TenantRun,
): Promise<void> {
  const driver = tenancy.orm.em.getDriver();
  const history = new History(tenancy, schemaName);
  const key = `hashtextextended(${tenancy.orm.em.getPlatform().quoteValue(`landlord:${schemaName}`)}, 0)`;

  await tenancy.onOneConnection(async ctx => {
    await tenancy.execute(`select pg_advisory_lock(${key})`, [], ctx);

    try {
      await tenancy.execute(`set search_path to ${searchPathOf(schemaName, ...tenancy.options.searchPath)}`, [], ctx);
      await tenancy.execute(`set lock_timeout to ${Math.round(lockTimeoutMs)}`, [], ctx);

      if (statementTimeoutMs !== undefined) {
        await tenancy.execute(`set statement_timeout to ${Math.round(statementTimeoutMs)}`, [], ctx);
      }

      const migration: Migration = new MigrationClass(driver, tenancy.orm.config);
      migration.reset();
      migration.setTransactionContext(ctx);
      await migration[direction]();

      for (const query of migration.getQueries()) {
        await driver.execute(query, undefined, 'run', ctx);
      }

      await tenancy.execute(direction === 'up' ? history.addSql(name) : history.removeSql(name), [], ctx);
    } catch (error) {
      throw MigrationError.failedOutsideTransaction(name, schemaName, error, await invalidIndexes(tenancy, schemaName, ctx));
    } finally {
      await tenancy.execute('reset search_path', [], ctx);
      await tenancy.execute('reset lock_timeout', [], ctx);
      await tenancy.execute('reset statement_timeout', [], ctx);
      await tenancy.execute(`select pg_advisory_unlock(${key})`, [], ctx);
    }
  });
}

/** What `create index concurrently` leaves where it failed. */
async function invalidIndexes(tenancy: Tenancy, schemaName: string, ctx: Transaction): Promise<string[]> {
  const rows = await tenancy.execute<{ name: string }>(
    'select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid and c.relnamespace = to_regnamespace(?) order by 1',
    [quoteIdentifier(schemaName)],
    ctx,
  );

  return rows.map(row => row.name);
}
