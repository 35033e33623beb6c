import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { MigrationError } from '../../errors/index.js';
import { isLockTimeout, isUnreachable } from '../../postgres/sql-state.js';
import { AfterAttempt, FIRST_PAUSE_MS } from './after-attempt.js';
import { MessageSize } from './message-size.js';
import { LONGEST_TO_REPEAT_MS } from './migrate-tenant.js';
import { Round } from './round.js';
import type { RunParts } from './run-parts.js';
import { migrateInSharedMessage } from './shared-message.js';
import type { TenantRunOutcome, TenantWork } from './tenant-run.js';
import { TenantStates } from './tenant-states.js';

/**
 * Migrates tenants in rounds. A round visits each tenant once, several at a time. What is left of it, because another session has the tenant
 * or a lock, or because the database was in trouble, is for a later one.
 */
export class RunInTenants {
  readonly #parts: RunParts;
  readonly #states = new TenantStates();
  readonly #after: AfterAttempt;
  readonly #size = new MessageSize();
  readonly #mostAtOnce: number;
  #atOnce: number;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#after = new AfterAttempt(parts, this.#states);
    const available = parts.database.engine.connectionsAtOnce();
    this.#mostAtOnce = available === 1 ? 1 : (parts.options.concurrency ?? available);
    this.#atOnce = this.#mostAtOnce;
  }

  /** Tenants that were renamed since the plan, under their new names. */
  get renamed(): readonly TenantWork[] {
    return this.#after.renamed;
  }

  /** Migrates these tenants. One that is busy in another run is retried until it is free or the time-out is over. */
  async migrate(work: readonly TenantWork[]): Promise<void> {
    const { results, trouble, options } = this.#parts;
    let left = work;

    for (let pause = FIRST_PAUSE_MS; left.length > 0 && !results.isStopped(); pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      const round = await this.#visitAll(left);
      left = round.left;

      if (round.trouble !== undefined) {
        pause = FIRST_PAUSE_MS;

        if (!(await trouble.wait(round.trouble)) && !results.isStopped()) {
          results.stopFor({ reason: 'database', error: round.trouble });
        }
      } else if (left.length > 0 && !results.isStopped()) {
        await sleep(this.#states.pauseBefore(left, pause), undefined, options).catch(() => undefined);
      }
    }
  }

  /** Migrates tenants again that the database has lost. */
  async migrateAgain(work: readonly TenantWork[]): Promise<void> {
    const names = work.map(({ schemaName }) => schemaName);
    this.#parts.results.lost(names);
    this.#states.lost(names);
    await this.migrate(work);
  }

  /** Migrates these tenants, and returns those that are left. No other one is started once the database is in trouble. */
  async #visitAll(work: readonly TenantWork[]): Promise<Round> {
    const round = new Round();

    await pMap(this.#messages(work, round), works => this.#visit(works, round), { concurrency: this.#atOnce });

    // what the server has too little of is asked for less, and for more again when all went well
    this.#atOnce = round.trouble === undefined ? this.#mostAtOnce : Math.max(1, this.#atOnce - round.refusals);

    return round;
  }

  /** The tenants that are due, each with those that it shares a message with. */
  *#messages(work: readonly TenantWork[], round: Round): Generator<readonly TenantWork[]> {
    const together: TenantWork[] = [];

    for (const each of work) {
      if (!this.#states.isDue(each)) {
        round.leave([each]);
      } else if (this.#mayShare(each)) {
        together.push(each);
      } else {
        yield [each];
      }
    }

    for (let from = 0; from < together.length;) {
      const size = this.#size.next(together.length - from, this.#atOnce);
      yield together.slice(from, from + size);
      from += size;
    }
  }

  async #visit(works: readonly TenantWork[], round: Round): Promise<void> {
    let left = await this.#parts.hooks.before(works, (schemaName, error) => this.#parts.results.failed(schemaName, error, 0));

    while (left.length > 1 && !this.#isOver(round)) {
      left = await this.#visitTogether(left, round);
    }

    await this.#visitEach(left, round);
  }

  async #visitEach(works: readonly TenantWork[], round: Round): Promise<void> {
    for (const work of works) {
      if (this.#isOver(round)) {
        round.leave([work]);
      } else {
        await this.#visitOne(work, round);
      }
    }
  }

  /** Whether no other tenant is to be started. */
  #isOver({ trouble }: Round): boolean {
    return trouble !== undefined || this.#parts.results.isStopped();
  }

  /** Migrates tenants with one message, and returns those that have to be sent again. */
  async #visitTogether(works: readonly TenantWork[], round: Round): Promise<readonly TenantWork[]> {
    const { database, run, watch } = this.#parts;
    const start = performance.now();
    const names = works.map(({ schemaName }) => schemaName);
    const outcome = await watch.during(names, () => migrateInSharedMessage(database, works, run)).catch((error: unknown) => ({ error }));
    const took = performance.now() - start;

    if ('error' in outcome) {
      this.#states.separate(works);
      this.#states.unanswered(works);
      await (isUnreachable(outcome.error) ? this.#after.lost(works, outcome.error, round) : this.#visitEach(works, round));

      return [];
    }

    const { done, busy, alone, unanswered, failed, left } = outcome;
    this.#states.unanswered(unanswered);
    const migrated = done.map(({ schemaName, planned }) => ({ schemaName, migrations: planned.map(({ name }) => name) }));

    for (const { schemaName, migrations } of migrated) {
      this.#finish(schemaName, migrations, { start, durationMs: took / done.length });
    }

    await this.#parts.hooks.after(migrated);

    for (const work of busy) {
      await this.#after.busy(work, round);
    }

    if (failed === undefined) {
      this.#size.took(done.length, took);
    } else {
      this.#size.failed();
      const { work, error } = failed;
      // as where it is migrated alone, a lock is tried again later, and what took long is not repeated
      await (isLockTimeout(error) || took > LONGEST_TO_REPEAT_MS
        ? this.#after.failed(work, MigrationError.failed(work.planned.map(({ name }) => name).join(' or '), work.schemaName, error), {
            round,
            durationMs: took,
          })
        : this.#visitOne(work, round, error));
    }

    await this.#visitEach(alone, round);

    return left;
  }

  async #visitOne(work: TenantWork, round: Round, sharedError?: unknown): Promise<void> {
    const { database, run, watch, workOn } = this.#parts;
    const { schemaName } = work;
    const state = this.#states.of(schemaName);
    const start = performance.now();
    // a lock time-out may be the last one, and is reported with its statement
    const namesStatements = state.timeouts > 0 || run.retries === 0;
    let outcome: TenantRunOutcome;

    try {
      outcome = await watch.during([schemaName], () => workOn(database, work, { ...run, done: state.done, namesStatements, sharedError }));
    } catch (error) {
      return this.#after.failed(work, error, { round, durationMs: performance.now() - start });
    }

    const durationMs = performance.now() - start;

    if (outcome === 'busy') {
      return this.#after.busy(work, round);
    }

    if (this.#mayShare(work)) {
      this.#size.took(1, durationMs);
    }

    // what was committed by a message whose answer was lost
    const migrations = outcome.length > 0 ? outcome : state.sent;
    this.#finish(schemaName, migrations, { start, durationMs });
    await this.#parts.hooks.after([{ schemaName, migrations }]);
  }

  #finish(schemaName: string, migrations: readonly string[], { start, durationMs }: { start: number; durationMs: number }): void {
    this.#parts.trouble.hasPassed();
    this.#parts.onCommit(schemaName, start);
    this.#parts.results.migrated(schemaName, migrations, durationMs);
  }

  // a tenant that has had trouble is migrated alone, so that it holds up no other. Without retries, the first failure has to name its statement
  #mayShare({ schemaName }: TenantWork): boolean {
    const { alone, timeouts } = this.#states.of(schemaName);

    return this.#parts.sharesMessages && this.#parts.run.retries > 0 && !alone && timeouts === 0;
  }
}

/** The longest pause between two attempts at a busy tenant. */
const LONGEST_PAUSE_MS = 1_000;
