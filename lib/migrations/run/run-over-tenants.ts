import { UnknownTenantError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { requireNodes } from '../../database/citus/placements.js';
import { namesOf, readHistories, type ReadOptions } from '../history/histories.js';
import type { MigrationSet } from '../set/migration-set.js';
import { Commits } from './commits.js';
import { keepsSession } from '../../connection/pool/pooled-connection.js';
import { DatabaseTrouble } from './database-trouble.js';
import { Listeners } from './listeners.js';
import { LockWatch } from './lock-watch.js';
import type { MigrationTarget } from './plan.js';
import { planWithMoved } from './plan-moved.js';
import type { PlannedRun } from './plan-run.js';
import { RunInTenants } from './run-in-tenants.js';
import { readOptionsOf } from './run-options.js';
import type { RunParts } from './run-parts.js';
import { byName, RunResults } from './run-results.js';
import { RunHooks } from './run-hooks.js';
import { DEFAULT_LOCK_TIMEOUT_MS, runSettings } from './run-settings.js';
import type { MigrateOptions, RunNotice, RunResult, TenantRunResult } from './run-types.js';
import { selectSchemaNames } from './selection.js';
import type { TenantWork } from './tenant-run.js';
import { isUnreachable, sqlStateOf } from '../../postgres/sql-state.js';

/** What a run does. */
export interface RunWork {
  /** Asked for where there is something to do. */
  readonly set: () => Promise<MigrationSet>;
  readonly target: MigrationTarget;
  /** Reads all histories, and finds what there is to do. */
  readonly plan: (schemaNames: readonly string[], options: ReadOptions) => Promise<PlannedRun>;
  /** Works on one tenant, under its lock. */
  readonly workOn: RunParts['workOn'];
  /** Whether `migrateInSharedMessage` may do the work of several tenants. */
  readonly sharesMessages?: boolean;
  /** Whether migrations run, so that the hooks of migrations are called. */
  readonly isMigration?: boolean;
}

/**
 * Plans for all selected tenants, and visits those where there is something to do, several at a time. A tenant that fails is reported. The
 * others continue.
 */
export async function runOverTenants(
  database: TenantDatabase,
  options: MigrateOptions,
  { set, target, plan: planWork, workOn, sharesMessages = false, isMigration = false }: RunWork,
): Promise<RunResult> {
  const start = performance.now();
  const hooks = new RunHooks(database, target.direction, isMigration);
  const listeners = new Listeners({ ...options, onProgress: result => progressed(result) });
  const notify = (notice: RunNotice): void => listeners.notice(notice);
  const trouble = new DatabaseTrouble({
    database,
    timeoutMs: options.databaseTimeoutMs ?? DEFAULTS.databaseTimeoutMs,
    signal: options.signal,
    notify,
  });
  // a database that cannot be reached from the start is not waited for
  const schemaNames = await selectSchemaNames(database, options);
  await trouble.survive(() => requireNodes(database));
  checkCanary(schemaNames, options.canary);
  const readOptions = { ...readOptionsOf(options), survive: <Result>(read: () => Promise<Result>) => trouble.survive(read) };
  const plan = await planWithMoved(database, schemaNames, { selection: options, plan: names => planWork(names, readOptions) });
  // nobody knows under which name it is there now
  checkCanary(
    schemaNames.filter(name => !plan.moved.includes(name)),
    options.canary,
  );
  const { total, unread, work, refused } = plan;
  const hasWork = work.length > 0;
  listeners.plan({ total, upToDate: total - unread.length - work.length - refused.length, work: work.length });
  const lockTimeoutMs = options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS;
  const watch = new LockWatch(database, notify);
  const [settings, commits, hasSessions] = await trouble.survive(() =>
    Promise.all([
      hasWork ? runSettings(database, { lockTimeoutMs, statementTimeoutMs: options.statementTimeoutMs }) : [],
      hasWork ? Commits.of(database, options.durability ?? 'run') : Commits.ofNone(database),
      sharesMessages && work.length > 1 && database.engine.takesScripts(undefined).then(takes => takes && keepsSession(database)),
    ]),
  );
  const results = new RunResults(options, listeners);
  const run = new RunInTenants({
    database,
    run: {
      set: hasWork ? await set() : [],
      target,
      lockTimeoutMs,
      settingsOf: schemaName => [...settings, ['application_name', watch.applicationName(schemaName)]],
      commitSettings: commits.settings,
      onSession: session => commits.onSession(session),
      retries: options.retries ?? DEFAULTS.retries,
      signal: options.signal,
      notify,
    },
    options,
    results,
    trouble,
    watch,
    sharesMessages: hasSessions,
    workOn,
    onCommit: (schemaName, begunAt) => commits.committed(schemaName, begunAt),
    hooks,
  });
  plan.moved.forEach(schemaName => results.gone(schemaName));
  refused.forEach(({ schemaName, error }) => results.refused(schemaName, error));
  const canary = canaryOf(plan, options.canary);

  try {
    await migrateAndWait(work.filter(({ schemaName }) => canary.has(schemaName)));

    // if a canary fails, no other tenant is started
    if (results.hasFailed(canary)) {
      results.stopFor({ reason: 'canary' });
    } else {
      await migrateAndWait(work.filter(({ schemaName }) => !canary.has(schemaName)));
    }
  } finally {
    await watch.close();
    await hooks.settled();
  }

  listeners.rethrow();

  return results.of(plan, commits.unconfirmed, performance.now() - start);

  function progressed(result: TenantRunResult): void {
    if (isMigration) {
      database.rules.observer?.migrated(result);
    }

    if (!result.ok) {
      hooks.failed(result.schemaName, result.error);
    }

    options.onProgress?.(result);
  }

  /** Migrates these tenants, and waits until the database has them on disk. */
  async function migrateAndWait(tenants: readonly TenantWork[]): Promise<void> {
    await run.migrate(tenants);

    try {
      for (let lost = await findLost(tenants); lost.length > 0; lost = await findLost(tenants)) {
        notify({ kind: 'lost', schemaNames: lost.map(({ schemaName }) => schemaName) });
        await run.migrateAgain(lost);
      }
    } catch (error) {
      // what was committed is told all the same, as what is not known to be on disk
      if (!isUnreachable(error) && sqlStateOf(error) === undefined) {
        throw error;
      }

      results.stopFor({ reason: 'database', error });
    }
  }

  /** What a server that has crashed has lost of these tenants. */
  async function findLost(tenants: readonly TenantWork[]): Promise<readonly TenantWork[]> {
    const unsure = await trouble.survive(() => commits.confirm());

    if (unsure.length === 0) {
      return [];
    }

    const now = new Map<string, string>();

    for await (const batch of readHistories(database, unsure, readOptions)) {
      // one that cannot be read stays unconfirmed
      const read = batch.filter(({ error }) => error === undefined);
      commits.settled(read.map(({ schemaName }) => schemaName));
      // a schema that was dropped or renamed was so after it was migrated, and has lost nothing either
      read.filter(({ hasSchema }) => hasSchema).forEach(({ schemaName, executed }) => now.set(schemaName, executed));
    }

    return [...tenants, ...run.renamed].flatMap(work => {
      const executed = now.get(work.schemaName);

      return executed !== undefined && isLost(work, executed, target) ? [{ ...work, executed }] : [];
    });
  }
}

/** Whether a tenant that was migrated has a history without it. */
function isLost({ planned, executed: before }: TenantWork, executed: string, { direction }: MigrationTarget): boolean {
  const names = new Set(namesOf({ executed }));

  return planned.length === 0 ? executed === before : planned.some(({ name }) => names.has(name) !== (direction === 'up'));
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
