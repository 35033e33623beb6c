import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { MigrationError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { hasNoConnectionLeft, isLockTimeout, isUnreachable } from '../../postgres/sql-state.js';
import type { DatabaseTrouble } from './database-trouble.js';
import type { Listeners } from './listeners.js';
import type { LockWatch } from './lock-watch.js';
import { isHalfDone } from './migrate-tenant.js';
import type { StepwiseRun } from './non-transactional.js';
import type { PlannedRun } from './plan-run.js';
import type { MigrateOptions, RunResult, RunStop, TenantRunFailure, TenantRunResult } from './run-types.js';
import { causeOf } from './same-cause.js';
import type { TenantRun, TenantRunOutcome, TenantWork } from './tenant-run.js';

/** The parts of a run. */
export interface RunParts {
  readonly database: TenantDatabase;
  readonly run: TenantRun;
  readonly options: MigrateOptions;
  readonly listeners: Listeners;
  readonly trouble: DatabaseTrouble;
  readonly watch: LockWatch;
  readonly workOn: (database: TenantDatabase, work: TenantWork, run: StepwiseRun) => Promise<TenantRunOutcome>;
}

/**
 * Migrates tenants in rounds. A round visits each tenant once, several at a time. What is left of it, because another session has the tenant
 * or a lock, or because the database was in trouble, is for a later one.
 */
export class RunInTenants {
  readonly #parts: RunParts;
  readonly #migrated: Extract<TenantRunResult, { ok: true }>[] = [];
  readonly #failed: TenantRunFailure[] = [];
  readonly #finished = new Set<string>();
  readonly #states = new Map<string, TenantState>();
  readonly #mostAtOnce: number;
  #atOnce: number;
  /** How many tenants in a row have failed for the same cause. */
  #equalFailures = { cause: '', count: 0 };
  #stop: RunStop | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const available = parts.database.engine.connectionsAtOnce();
    this.#mostAtOnce = available === 1 ? 1 : (parts.options.concurrency ?? available);
    this.#atOnce = this.#mostAtOnce;
  }

  hasFailed(schemaNames: ReadonlySet<string>): boolean {
    return this.#failed.some(({ schemaName }) => schemaNames.has(schemaName));
  }

  stopFor(stop: RunStop): void {
    this.#stop ??= stop;
  }

  /** Migrates these tenants. One that is busy in another run is retried until it is free or the time-out is over. */
  async migrate(work: readonly TenantWork[]): Promise<void> {
    let left = work;

    for (let pause = FIRST_PAUSE_MS; left.length > 0 && !this.#isStopped(); pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const round = await this.#visit(left);
      left = round.left;

      if (round.trouble !== undefined) {
        pause = FIRST_PAUSE_MS;

        if (!(await this.#parts.trouble.wait(round.trouble)) && !this.#isStopped()) {
          this.stopFor({ reason: 'database', error: round.trouble });
        }
      } else if (left.length > 0 && !this.#isStopped()) {
        await sleep(this.#pauseBefore(left, pause), undefined, this.#parts.options).catch(() => undefined);
      }
    }
  }

  /** Reports a tenant as failed that cannot be migrated. */
  refuse(schemaName: string, error: unknown): void {
    this.#report({ schemaName, ok: false, error, durationMs: 0 });
  }

  result({ total, unread, work, refused, unknown }: PlannedRun, durationMs: number): RunResult {
    const migrated = this.#migrated.filter(({ migrations }) => migrations.length > 0).toSorted(byName);
    const notBegun = [...work.map(({ schemaName }) => schemaName).filter(name => !this.#finished.has(name)), ...unread];

    return {
      total,
      upToDate: total - unread.length - work.length - refused.length + this.#migrated.length - migrated.length,
      migrated,
      failed: this.#failed.toSorted(byName),
      notBegun,
      unknown,
      // what came after the last tenant has stopped nothing
      ...(notBegun.length > 0 && this.#isStopped() && this.#stop !== undefined ? { stopped: this.#stop } : {}),
      durationMs,
    };
  }

  /** Migrates these tenants, and returns those that are left. No other one is started once the database is in trouble. */
  async #visit(work: readonly TenantWork[]): Promise<Round> {
    const left: TenantWork[] = [];
    let trouble: unknown;
    let refusals = 0;

    await pMap(
      work,
      async each => {
        if (this.#isStopped() || trouble !== undefined || !this.#isDue(each)) {
          left.push(each);
          return;
        }

        const visit = await this.#migrateOne(each);

        if (visit !== 'finished') {
          left.push(each);
        }

        if (typeof visit === 'object') {
          trouble ??= visit.trouble;
          refusals += hasNoConnectionLeft(visit.trouble) ? 1 : 0;
        }
      },
      { concurrency: this.#atOnce },
    );

    // what the server has too little of is asked for less, and for more again when all went well
    this.#atOnce = trouble === undefined ? this.#mostAtOnce : Math.max(1, this.#atOnce - refusals);

    return { left, trouble };
  }

  async #migrateOne(work: TenantWork): Promise<'finished' | 'left' | { readonly trouble: unknown }> {
    const { database, run, listeners, trouble, watch, workOn } = this.#parts;
    const { schemaName } = work;
    const state = this.#stateOf(schemaName);
    const start = performance.now();
    // a lock time-out may be the last one, and is reported with its statement
    const namesStatements = state.timeouts > 0 || run.retries === 0;
    let outcome: TenantRunOutcome;

    try {
      outcome = await watch.during(schemaName, () => workOn(database, work, { ...run, done: state.done, namesStatements }));
    } catch (error) {
      return this.#afterError(work, error, performance.now() - start);
    }

    trouble.hasPassed();

    if (outcome === 'busy') {
      return (await this.#failIfBusyTooLong(schemaName)) ? 'finished' : 'left';
    }

    const result = { schemaName, ok: true, migrations: outcome, durationMs: performance.now() - start } as const;
    this.#finished.add(schemaName);
    this.#migrated.push(result);
    this.#equalFailures = { cause: '', count: 0 };
    listeners.progress(result);

    return 'finished';
  }

  async #afterError(
    { schemaName }: TenantWork,
    error: unknown,
    durationMs: number,
  ): Promise<'finished' | 'left' | { readonly trouble: unknown }> {
    const { run, trouble, watch } = this.#parts;
    const state = this.#stateOf(schemaName);
    const mayRetry = !isHalfDone(error) && run.signal?.aborted !== true;

    if (mayRetry && isUnreachable(error)) {
      // what goes wrong in the middle may be because of what the migration does
      state.losses += error instanceof MigrationError ? 1 : 0;

      if (state.losses <= run.retries) {
        return { trouble: error };
      }
    }

    const blockers = isLockTimeout(error) ? await watch.blockersOf(schemaName) : [];

    if (mayRetry && isLockTimeout(error) && (state.timeouts += 1) <= run.retries) {
      // longer than it has waited for the lock, as what waits for a lock holds up all that come after it
      state.dueAt = performance.now() + Math.max(FIRST_PAUSE_MS, run.lockTimeoutMs) * 2 ** state.timeouts;

      return 'left';
    }

    if (!isUnreachable(error)) {
      trouble.hasPassed();
    }

    this.#fail(schemaName, error instanceof MigrationError ? error.blockedBy(blockers) : error, durationMs);

    return 'finished';
  }

  #fail(schemaName: string, error: unknown, durationMs: number): void {
    const cause = causeOf(error, schemaName);
    this.#equalFailures = { cause, count: cause === this.#equalFailures.cause ? this.#equalFailures.count + 1 : 1 };
    this.#report({ schemaName, ok: false, error, durationMs });
  }

  #report(failure: TenantRunFailure): void {
    this.#finished.add(failure.schemaName);
    this.#failed.push(failure);
    this.#parts.listeners.progress(failure);
  }

  /** Reports a tenant as failed if it has been busy for longer than the time-out. */
  async #failIfBusyTooLong(schemaName: string): Promise<boolean> {
    const { options, watch } = this.#parts;
    const now = performance.now();
    const state = this.#stateOf(schemaName);
    const since = (state.busySince ??= now);
    const limit = options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS;

    if (limit === 0 || now - since < limit) {
      watch.isBusy(schemaName);

      return false;
    }

    this.#fail(schemaName, MigrationError.busy(schemaName, now - since, await watch.holdersOf(schemaName)), now - since);

    return true;
  }

  #isDue({ schemaName }: TenantWork): boolean {
    return performance.now() >= this.#stateOf(schemaName).dueAt;
  }

  /** Until a tenant is due, at most the given time if one is already. */
  #pauseBefore(left: readonly TenantWork[], pause: number): number {
    const now = performance.now();
    const waits = left.map(({ schemaName }) => this.#stateOf(schemaName).dueAt - now);

    return waits.some(wait => wait <= 0) ? pause : Math.max(0, Math.ceil(Math.min(...waits)));
  }

  #stateOf(schemaName: string): TenantState {
    let state = this.#states.get(schemaName);

    if (state === undefined) {
      state = { done: [], losses: 0, timeouts: 0, dueAt: 0, busySince: undefined };
      this.#states.set(schemaName, state);
    }

    return state;
  }

  #isStopped(): boolean {
    const { signal, maxFailures = Infinity, maxEqualFailures = DEFAULT_MAX_EQUAL_FAILURES } = this.#parts.options;

    if (signal?.aborted === true) {
      this.stopFor({ reason: 'aborted' });
    } else if (this.#failed.length >= maxFailures) {
      this.stopFor({ reason: 'failures' });
    } else if (maxEqualFailures > 0 && this.#equalFailures.count >= maxEqualFailures && this.#migrated.length === 0) {
      this.stopFor({ reason: 'equal failures' });
    }

    return this.#stop !== undefined;
  }
}

/** What is known of a tenant from the attempts at it. */
interface TenantState {
  /** The migrations that were committed. */
  readonly done: string[];
  /** How often its connection was lost. */
  losses: number;
  /** How often it has waited for a lock in vain. */
  timeouts: number;
  /** When it may be tried again. */
  dueAt: number;
  /** When it was first found busy. */
  busySince: number | undefined;
}

interface Round {
  readonly left: readonly TenantWork[];
  readonly trouble: unknown;
}

export function byName(a: { readonly schemaName: string }, b: { readonly schemaName: string }): number {
  return a.schemaName < b.schemaName ? -1 : 1;
}

const FIRST_PAUSE_MS = 50;

/** The longest pause between two attempts at a busy tenant. */
const LONGEST_PAUSE_MS = 1_000;

const DEFAULT_BUSY_TIMEOUT_MS = 600_000;

/** As many failures of one cause, with no tenant migrated, are not the tenants' fault. */
const DEFAULT_MAX_EQUAL_FAILURES = 10;
