import { RunUsageError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { loadMigrationSet, migrationFileNames, type MigrationSet } from '../set/migration-set.js';
import { migrateTenant } from './migrate-tenant.js';
import { checkTarget, isForAll } from './plan.js';
import { planRun } from './plan-run.js';
import { targetOf } from './run-options.js';
import { observed } from '../../scope/observer.js';
import { runOverTenants, type RunWork } from './run-over-tenants.js';
import type { MigrateOptions, RunResult } from './run-types.js';
import { requirePublicSet } from './selection.js';

/**
 * Runs the tenant set in every selected tenant, with limited concurrency. Each tenant is migrated in its own transaction, under its lock.
 * All histories are read first, and only tenants with pending migrations are visited. A tenant that fails is rolled back and reported. The
 * others continue.
 *
 * @throws UnknownTenantError, MigrationError, RunUsageError before anything runs.
 */
export async function migrateTenants(database: TenantDatabase, options: MigrateOptions = {}): Promise<RunResult> {
  const target = targetOf(options);

  // the caller's transaction may hold the only connection
  if (database.isInTransaction) {
    throw RunUsageError.inTransaction();
  }

  let loading: Promise<MigrationSet> | undefined;
  const load = (): Promise<MigrationSet> => (loading ??= loadMigrationSet(database));
  const fileNames = isForAll(target) ? migrationFileNames(database) : undefined;

  if (fileNames === undefined) {
    checkTarget(await load(), target);
  }

  if (target.direction === 'up' && options.skipPublicCheck !== true) {
    await requirePublicSet(database);
  }

  const work: RunWork = {
    set: load,
    target,
    plan: (schemaNames, read) => planRun(database, { load, fileNames }, target, schemaNames, read),
    workOn: migrateTenant,
    sharesMessages: true,
    isMigration: true,
  };

  return observed(database.rules, { name: 'run' }, () => runOverTenants(database, options, work));
}
