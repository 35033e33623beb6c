import { setTimeout as sleep } from 'node:timers/promises';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { isUnreachable, sqlStateOf } from '../../postgres/sql-state.js';
import type { RunNotice } from './run-types.js';

/**
 * Waits where the database itself is in trouble during a run: it restarts, cannot be reached, or has no connection left. That says nothing of
 * a tenant. The time counts from the last success.
 */
export class DatabaseTrouble {
  readonly #options: TroubleOptions;
  #since: number | undefined;
  #pause = FIRST_PAUSE_MS;

  constructor(options: TroubleOptions) {
    this.#options = options;
  }

  /** To be called when something has succeeded. */
  hasPassed(): void {
    this.#since = undefined;
    this.#pause = FIRST_PAUSE_MS;
  }

  /** Waits until the database answers. Returns false if it does not in the given time, or if the run is aborted. */
  async wait(error: unknown): Promise<boolean> {
    const { database, timeoutMs, signal, notify } = this.#options;
    const isAborted = (): boolean => signal?.aborted === true;

    if (isAborted()) {
      return false;
    }

    const since = (this.#since ??= performance.now());
    notify({ kind: 'waiting', error, timeoutMs });

    while (!isAborted() && performance.now() - since + this.#pause <= timeoutMs) {
      await sleep(this.#pause, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);

      if (!isAborted() && (await answers(database))) {
        notify({ kind: 'back', waitedMs: performance.now() - since });

        return true;
      }
    }

    return false;
  }

  /** Runs `fn` again each time the database is in trouble. Throws the last error if it stays so. */
  async survive<Result>(fn: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        const result = await fn();
        this.hasPassed();

        return result;
      } catch (error) {
        if (!isUnreachable(error) || !(await this.wait(error))) {
          throw error;
        }
      }
    }
  }
}

async function answers(database: TenantDatabase): Promise<boolean> {
  try {
    await database.execute('select 1', [], undefined);

    return true;
  } catch (error) {
    if (isUnreachable(error)) {
      return false;
    }

    // a refusal is an answer too, and what was done before must be told
    if (sqlStateOf(error) !== undefined) {
      return true;
    }

    throw error;
  }
}

export interface TroubleOptions {
  readonly database: TenantDatabase;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly notify: (notice: RunNotice) => void;
}

const FIRST_PAUSE_MS = 100;

const LONGEST_PAUSE_MS = 5_000;
