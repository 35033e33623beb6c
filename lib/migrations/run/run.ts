import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { MigrationError, RunUsageError, UnknownTenantError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { migrateTenant, type TenantRun, type TenantRunOutcome, type TenantWork } from './migrate-tenant.js';
import { Listeners } from './listeners.js';
import { loadMigrationSet } from '../set/migration-set.js';
import { checkTarget } from './plan.js';
import { planRun, type PlannedRun } from './plan-run.js';
import { readOptionsOf, targetOf } from './run-options.js';
import { DEFAULT_LOCK_TIMEOUT_MS, runSettings } from './run-settings.js';
import { requirePublicSet, selectSchemaNames, type TenantSelection } from './selection.js';

export interface MigrateOptions extends TenantSelection {
  /** @default 'up' */
  readonly direction?: 'up' | 'down';
  /** Up: the last migration to run. Down: the last one to keep; `0` keeps none. Down without it reverts one. */
  readonly to?: string | 0;
  /** Up only: the migration after which to begin. */
  readonly from?: string;
  /** These migrations and no others. */
  readonly migrations?: readonly string[];
  /** Whether to run though the public set is behind. @default false */
  readonly skipPublicCheck?: boolean;
  /** How many tenants at once. Each holds a connection of the pool. @default what the pool has, 1 on PGlite */
  readonly concurrency?: number;
  /** How long a statement waits for a lock that another session holds, in milliseconds; 0 for ever. A tenant that another run has is waited for longer. @default 5000 */
  readonly lockTimeoutMs?: number;
  /** How long a tenant that another run or session has is asked for again and again, in milliseconds; 0 for ever. @default 600000 */
  readonly busyTimeoutMs?: number;
  /** How long a statement may take, in milliseconds. @default the server's own setting */
  readonly statementTimeoutMs?: number;
  /** How often a tenant that met another session is tried again. @default 3 */
  readonly retries?: number;
  /** Stop after so many failures: what is in flight is finished, the rest is not begun. @default never */
  readonly maxFailures?: number;
  /** These first, by schema name or that many of them; if one fails, no other is begun. */
  readonly canary?: number | readonly string[];
  /** Aborted, what is in flight is finished and the rest is not begun. */
  readonly signal?: AbortSignal;
  /** Told how many there are, before the first is begun. What it throws is thrown again when the run is over. */
  readonly onPlan?: (plan: RunPlan) => void;
  /** Told of each tenant when it is done. What it throws is thrown again when the run is over. */
  readonly onProgress?: (result: TenantRunResult) => void;
}

/** What a run found to do. */
export interface RunPlan {
  readonly total: number;
  /** How many have nothing to do. */
  readonly upToDate: number;
  /** How many have something to do. */
  readonly work: number;
}

/** What a run did in one tenant's schema. Tenants with nothing to do have no result of their own. */
export type TenantRunResult = { readonly schemaName: string; readonly durationMs: number } & (
  | { readonly ok: true; readonly migrations: readonly string[] }
  | { readonly ok: false; readonly error: unknown }
);

export type TenantRunFailure = Extract<TenantRunResult, { ok: false }>;

/** What a run did. */
export interface RunResult {
  readonly total: number;
  /** How many had nothing to do, at the start or because another run had done it. */
  readonly upToDate: number;
  readonly migrated: readonly Extract<TenantRunResult, { ok: true }>[];
  readonly failed: readonly TenantRunFailure[];
  /** Schema names that were not begun, as the run was stopped. */
  readonly notBegun: readonly string[];
  /** Tenants whose history names migrations that the set does not have. */
  readonly unknown: readonly { readonly schemaName: string; readonly migrations: readonly string[] }[];
  readonly durationMs: number;
}

/**
 * Runs the tenant set in every selected tenant, a bounded number at once, each in a transaction of its own under the tenant's lock.
 * One look at all histories says where there is anything to do. A tenant that fails is rolled back and reported, and the rest go on.
 *
 * @throws UnknownTenantError, MigrationError, RunUsageError before anything runs.
 */
export async function migrateTenants(database: TenantDatabase, options: MigrateOptions = {}): Promise<RunResult> {
  const start = performance.now();
  const target = targetOf(options);

  // whoever is in one may have its only connection, and has it for as long as he likes
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

  // a canary that fails has done its work: nobody else meets what killed it
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
  readonly #settled = new Set<string>();
  /** When each was first found taken. */
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

  /** Migrates these. Those that another run has at the moment are left for the end, and then asked for again until it has done with them or has had them for too long. */
  async migrate(work: readonly TenantWork[]): Promise<void> {
    let left = await this.#migrateFree(work);

    for (let pause = 50; left.length > 0 && !this.#isStopped(); pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      await sleep(pause, undefined, this.#options).catch(() => undefined);
      left = await this.#migrateFree(left);
    }
  }

  fail(schemaName: string, error: unknown, durationMs: number): void {
    const result = { schemaName, ok: false, error, durationMs } as const;
    this.#settled.add(schemaName);
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
      notBegun: [...work.map(({ schemaName }) => schemaName).filter(name => !this.#settled.has(name)), ...unread],
      unknown,
      durationMs,
    };
  }

  /** Those that were not to be had. */
  async #migrateFree(work: readonly TenantWork[]): Promise<TenantWork[]> {
    const busy: TenantWork[] = [];
    await pMap(
      work,
      async each => {
        if (this.#isStopped() || ((await this.#migrateOne(each)) === 'busy' && !this.#gaveUp(each))) {
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
    this.#settled.add(schemaName);
    this.#migrated.push(result);
    this.#listeners.progress(result);

    return 'done';
  }

  /** Whether it has been taken for so long that whoever has it may never give it back. */
  #gaveUp({ schemaName }: TenantWork): boolean {
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
    const most = this.#database.engine.connectionsAtOnce();

    return most === 1 ? 1 : (this.#options.concurrency ?? most);
  }
}

/** One that cannot be helped is a canary too. */
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

// a canary that is not among them would be none, and all the others would go first
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

/** How long a run waits, at most, before it asks again for a tenant that another one has. */
const LONGEST_PAUSE_MS = 1_000;

const DEFAULTS = { retries: 3, busyTimeoutMs: 600_000 } as const;
