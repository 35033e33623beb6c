import type { Transaction } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { MigrationError } from '../errors.js';
import { SET_PATH } from '../orm/raw-sql.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import { searchPathOf } from '../schema-name.js';
import { scopeOf } from '../scope/run-in.js';
import { withScope, type Scope } from '../scope/scope.js';
import type { Tenancy } from '../tenancy.js';
import type { TenantMixin } from '../tenant-mixin.js';
import { History } from './history.js';
import type { MigrationSet, TenantMigration } from './migration-set.js';
import { planMigrations, type MigrationTarget } from './plan.js';

export interface SchemaRun extends MigrationTarget {
  readonly tenant: Pick<TenantMixin<unknown>, 'schemaName'>;
  readonly set: MigrationSet;
  /** The transaction that everything runs in; whoever began it commits it. */
  readonly ctx: Transaction;
}

/**
 * Brings one schema up or down in the given transaction, and resolves to the names of the migrations that ran.
 *
 * @throws MigrationError `MIGRATION_FAILED` with the migration and the cause; the transaction is then good for nothing but a rollback.
 */
export async function migrateSchema(tenancy: Tenancy, run: SchemaRun): Promise<string[]> {
  const { tenant, set, ctx, direction } = run;
  const scope = scopeOf(tenancy, tenant as TenantMixin<unknown>);
  const history = new History(tenancy, tenant.schemaName);
  const executed = await history.executed(ctx);
  const planned = planMigrations(set, executed.map(({ name }) => name), run);

  for (const migration of planned) {
    try {
      await withScope(scope, () => runMigration(tenancy, migration, scope, run));
      await (direction === 'up' ? history.ensureTable(ctx).then(() => history.add(migration.name, ctx)) : history.remove(migration.name, ctx));
    } catch (error) {
      throw error instanceof MigrationError ? error : MigrationError.failed(migration.name, tenant.schemaName, error);
    }
  }

  return planned.map(({ name }) => name);
}

async function runMigration(tenancy: Tenancy, { name, MigrationClass }: TenantMigration, scope: Scope, run: SchemaRun): Promise<void> {
  const { ctx, direction, tenant } = run;
  const driver = tenancy.orm.em.getDriver();
  const migration: Migration = new MigrationClass(driver, tenancy.orm.config);

  if (!migration.isTransactional()) {
    throw MigrationError.notTransactional(name);
  }

  // for each migration anew, as one before it may have set another
  await tenancy.execute(SET_PATH, [searchPathOf(tenant.schemaName, ...tenancy.options.searchPath)], ctx);
  migration.reset();
  migration.setTransactionContext(ctx);
  (migration.getEntityManager() as unknown as TenantEntityManager).bindToScope(scope);
  await migration[direction]();

  for (const query of migration.getQueries()) {
    await driver.execute(query, undefined, 'run', ctx);
  }
}
