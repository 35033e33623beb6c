import { RunUsageError, UnknownTenantError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { DatabaseTrouble } from './database-trouble.js';
import { Listeners } from './listeners.js';
import { LockWatch } from './lock-watch.js';
import { byName, RunInTenants } from './run-in-tenants.js';
import { loadMigrationSet } from '../set/migration-set.js';
import { checkTarget } from './plan.js';
import { planRun, type PlannedRun } from './plan-run.js';
import { readOptionsOf, targetOf } from './run-options.js';
import { DEFAULT_LOCK_TIMEOUT_MS, runSettings } from './run-settings.js';
import type { MigrateOptions, RunNotice, RunResult } from './run-types.js';
import { requirePublicSet, selectSchemaNames } from './selection.js';

/**
 * Runs the tenant set in every selected tenant, with limited concurrency. Each tenant is migrated in its own transaction, under its lock.
 * All histories are read first, and only tenants with pending migrations are visited. A tenant that fails is rolled back and reported. The
 * others continue.
 *
 * @throws UnknownTenantError, MigrationError, RunUsageError before anything runs.
 */
export async function migrateTenants(database: TenantDatabase, options: MigrateOptions = {}): Promise<RunResult> {
  const start = performance.now();
  const target = targetOf(options);

  // the caller's transaction may hold the only connection
  if (database.isInTransaction) {
    throw RunUsageError.inTransaction();
  }

  const set = await loadMigrationSet(database);
  checkTarget(set, target);

  if (target.direction === 'up' && options.skipPublicCheck !== true) {
    await requirePublicSet(database);
  }

  const listeners = new Listeners(options);
  const notify = (notice: RunNotice): void => listeners.notice(notice);
  const trouble = new DatabaseTrouble({
    database,
    timeoutMs: options.databaseTimeoutMs ?? DEFAULTS.databaseTimeoutMs,
    signal: options.signal,
    notify,
  });
  // a database that cannot be reached from the start is not waited for
  const schemaNames = await selectSchemaNames(database, options);
  checkCanary(schemaNames, options.canary);
  const plan = await planRun(database, set, target, schemaNames, { ...readOptionsOf(options), survive: read => trouble.survive(read) });
  const { total, unread, work, refused } = plan;
  listeners.plan({ total, upToDate: total - unread.length - work.length - refused.length, work: work.length });
  const lockTimeoutMs = options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS;
  const watch = new LockWatch(database, notify);
  const settings = await runSettings(database, { lockTimeoutMs, statementTimeoutMs: options.statementTimeoutMs });
  const run = new RunInTenants({
    database,
    run: {
      set,
      target,
      lockTimeoutMs,
      settingsOf: schemaName => [...settings, ['application_name', watch.applicationName(schemaName)]],
      retries: options.retries ?? DEFAULTS.retries,
      signal: options.signal,
      notify,
    },
    options,
    listeners,
    trouble,
    watch,
  });
  refused.forEach(({ schemaName, error }) => run.refuse(schemaName, error));
  const canary = canaryOf(plan, options.canary);

  try {
    await run.migrate(work.filter(({ schemaName }) => canary.has(schemaName)));

    // if a canary fails, no other tenant is started
    if (run.hasFailed(canary)) {
      run.stopFor({ reason: 'canary' });
    } else {
      await run.migrate(work.filter(({ schemaName }) => !canary.has(schemaName)));
    }
  } finally {
    await watch.close();
  }

  listeners.rethrow();

  return run.result(plan, performance.now() - start);
}

/** A tenant that cannot be migrated counts as a canary too. */
function canaryOf({ work, refused }: PlannedRun, canary: MigrateOptions['canary']): ReadonlySet<string> {
  if (typeof canary !== 'number') {
    return new Set(canary);
  }

  return new Set(
    [...work, ...refused]
      .toSorted(byName)
      .slice(0, canary)
      .map(({ schemaName }) => schemaName),
  );
}

// an unknown canary would be ignored, and all tenants would be migrated without one
function checkCanary(schemaNames: readonly string[], canary: MigrateOptions['canary']): void {
  const known = new Set(schemaNames);
  const unknown = typeof canary === 'object' ? canary.filter(name => !known.has(name)) : [];

  if (unknown.length > 0) {
    throw new UnknownTenantError(unknown);
  }
}

const DEFAULTS = { retries: 3, databaseTimeoutMs: 60_000 } as const;
