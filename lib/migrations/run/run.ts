import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { MigrationError, RunUsageError, UnknownTenantError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { migrateTenant } from './migrate-tenant.js';
import type { TenantRun, TenantRunOutcome, TenantWork } from './tenant-run.js';
import { Listeners } from './listeners.js';
import { loadMigrationSet } from '../set/migration-set.js';
import { checkTarget } from './plan.js';
import { planRun, type PlannedRun } from './plan-run.js';
import { readOptionsOf, targetOf } from './run-options.js';
import { DEFAULT_LOCK_TIMEOUT_MS, runSettings } from './run-settings.js';
import type { MigrateOptions, RunResult, TenantRunFailure, TenantRunResult } from './run-types.js';
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

  const schemaNames = await selectSchemaNames(database, options);
  checkCanary(schemaNames, options.canary);
  const plan = await planRun(database, set, target, schemaNames, readOptionsOf(options));
  const { total, unread, work, refused } = plan;
  const listeners = new Listeners(options);
  listeners.plan({ total, upToDate: total - unread.length - work.length - refused.length, work: work.length });
  const settings = await runSettings(database, {
    lockTimeoutMs: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS,
    statementTimeoutMs: options.statementTimeoutMs,
  });
  const retries = options.retries ?? DEFAULTS.retries;
  const run = new Run(database, { set, target, settings, retries, signal: options.signal }, options, listeners);
  refused.forEach(({ schemaName, error }) => run.fail(schemaName, error, 0));
  const canary = canaryOf(plan, options.canary);
  await run.migrate(work.filter(({ schemaName }) => canary.has(schemaName)));

  // if a canary fails, no other tenant is started
  if (!run.hasFailed(canary)) {
    await run.migrate(work.filter(({ schemaName }) => !canary.has(schemaName)));
  }

  listeners.rethrow();

  return run.result(plan, performance.now() - start);
}

class Run {
  readonly #database: TenantDatabase;
  readonly #options: MigrateOptions;
  readonly #run: TenantRun;
  readonly #migrated: Extract<TenantRunResult, { ok: true }>[] = [];
  readonly #failed: TenantRunFailure[] = [];
  readonly #finished = new Set<string>();
  /** When each tenant was first found busy. */
  readonly #busySince = new Map<string, number>();
  readonly #listeners: Listeners;

  constructor(database: TenantDatabase, run: TenantRun, options: MigrateOptions, listeners: Listeners) {
    this.#database = database;
    this.#run = run;
    this.#options = options;
    this.#listeners = listeners;
  }

  hasFailed(schemaNames: ReadonlySet<string>): boolean {
    return this.#failed.some(({ schemaName }) => schemaNames.has(schemaName));
  }

  /** Migrates these tenants. A tenant that is busy in another run is retried at the end, until it is free or the time-out is over. */
  async migrate(work: readonly TenantWork[]): Promise<void> {
    let left = await this.#migrateFree(work);

    for (let pause = 50; left.length > 0 && !this.#isStopped(); pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      await sleep(pause, undefined, this.#options).catch(() => undefined);
      left = await this.#migrateFree(left);
    }
  }

  fail(schemaName: string, error: unknown, durationMs: number): void {
    const result = { schemaName, ok: false, error, durationMs } as const;
    this.#finished.add(schemaName);
    this.#failed.push(result);
    this.#listeners.progress(result);
  }

  result({ total, unread, work, refused, unknown }: PlannedRun, durationMs: number): RunResult {
    const migrated = this.#migrated.filter(({ migrations }) => migrations.length > 0).toSorted(byName);

    return {
      total,
      upToDate: total - unread.length - work.length - refused.length + this.#migrated.length - migrated.length,
      migrated,
      failed: this.#failed.toSorted(byName),
      notBegun: [...work.map(({ schemaName }) => schemaName).filter(name => !this.#finished.has(name)), ...unread],
      unknown,
      durationMs,
    };
  }

  /** Migrates these tenants and returns those that are busy or were not started. */
  async #migrateFree(work: readonly TenantWork[]): Promise<TenantWork[]> {
    const busy: TenantWork[] = [];
    await pMap(
      work,
      async each => {
        if (this.#isStopped() || ((await this.#migrateOne(each)) === 'busy' && !this.#failIfBusyTooLong(each))) {
          busy.push(each);
        }
      },
      { concurrency: this.#concurrency() },
    );

    return busy;
  }

  async #migrateOne(work: TenantWork): Promise<'busy' | 'done'> {
    const { schemaName } = work;
    const start = performance.now();
    let outcome: TenantRunOutcome;

    try {
      outcome = await migrateTenant(this.#database, work, this.#run);
    } catch (error) {
      this.fail(schemaName, error, performance.now() - start);
      return 'done';
    }

    if (outcome === 'busy') {
      return 'busy';
    }

    const result = { schemaName, ok: true, migrations: outcome, durationMs: performance.now() - start } as const;
    this.#finished.add(schemaName);
    this.#migrated.push(result);
    this.#listeners.progress(result);

    return 'done';
  }

  /** Reports a tenant as failed if it has been busy for longer than the time-out. */
  #failIfBusyTooLong({ schemaName }: TenantWork): boolean {
    const now = performance.now();
    const since = this.#busySince.get(schemaName) ?? now;
    const limit = this.#options.busyTimeoutMs ?? DEFAULTS.busyTimeoutMs;
    this.#busySince.set(schemaName, since);

    if (limit === 0 || now - since < limit) {
      return false;
    }

    this.fail(schemaName, MigrationError.busy(schemaName, now - since), now - since);

    return true;
  }

  #isStopped(): boolean {
    return this.#options.signal?.aborted === true || this.#failed.length >= (this.#options.maxFailures ?? Infinity);
  }

  #concurrency(): number {
    const available = this.#database.engine.connectionsAtOnce();

    return available === 1 ? 1 : (this.#options.concurrency ?? available);
  }
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

function byName(a: { readonly schemaName: string }, b: { readonly schemaName: string }): number {
  return a.schemaName < b.schemaName ? -1 : 1;
}

/** The longest pause between two attempts at a busy tenant. */
const MAX_PAUSE_MS = 1_000;

const DEFAULTS = { retries: 3, busyTimeoutMs: 600_000 } as const;
