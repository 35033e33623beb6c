import { UnknownTenantError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import type { ReadOptions } from '../history/histories.js';
import type { MigrationSet } from '../set/migration-set.js';
import { DatabaseTrouble } from './database-trouble.js';
import { Listeners } from './listeners.js';
import { LockWatch } from './lock-watch.js';
import type { MigrationTarget } from './plan.js';
import type { PlannedRun } from './plan-run.js';
import { byName, RunInTenants, type RunParts } from './run-in-tenants.js';
import { readOptionsOf } from './run-options.js';
import { DEFAULT_LOCK_TIMEOUT_MS, runSettings } from './run-settings.js';
import type { MigrateOptions, RunNotice, RunResult } from './run-types.js';
import { selectSchemaNames } from './selection.js';

/** What a run does. */
export interface RunWork {
  readonly set: MigrationSet;
  readonly target: MigrationTarget;
  /** Reads all histories, and finds what there is to do. */
  readonly plan: (schemaNames: readonly string[], options: ReadOptions) => Promise<PlannedRun>;
  /** Works on one tenant, under its lock. */
  readonly workOn: RunParts['workOn'];
}

/**
 * Plans for all selected tenants, and visits those where there is something to do, several at a time. A tenant that fails is reported. The
 * others continue.
 */
export async function runOverTenants(
  database: TenantDatabase,
  options: MigrateOptions,
  { set, target, plan: planWork, workOn }: RunWork,
): Promise<RunResult> {
  const start = performance.now();
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
  const plan = await planWork(schemaNames, { ...readOptionsOf(options), survive: read => trouble.survive(read) });
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
    workOn,
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
