import { MigrationError, SchemaMissingError } from '../../errors/index.js';
import { isOfNode } from '../../postgres/citus-errors.js';
import { isLockTimeout, isUnreachable } from '../../postgres/sql-state.js';
import { isHalfDone } from './migrate-tenant.js';
import { moveOf, OtherSchemaError } from './moved-tenants.js';
import type { Round } from './round.js';
import type { RunParts } from './run-parts.js';
import { DEFAULT_BUSY_TIMEOUT_MS } from './run-settings.js';
import type { TenantWork } from './tenant-run.js';
import type { TenantStates } from './tenant-states.js';

/** What becomes of tenants that an attempt has not migrated: they are tried again in a later round, or are reported. */
export class AfterAttempt {
  readonly #parts: RunParts;
  readonly #states: TenantStates;
  /** Tenants that were renamed since the plan, under their new names. */
  readonly renamed: TenantWork[] = [];

  constructor(parts: RunParts, states: TenantStates) {
    this.#parts = parts;
    this.#states = states;
  }

  async failed(
    work: TenantWork,
    error: unknown,
    { round, durationMs }: { readonly round: Round; readonly durationMs: number },
  ): Promise<void> {
    const { run, trouble, watch, results } = this.#parts;
    const { schemaName } = work;
    const state = this.#states.of(schemaName);

    if ((error instanceof SchemaMissingError || error instanceof OtherSchemaError) && (await this.#follow(work, error, round))) {
      return;
    }

    const isAborted = run.signal?.aborted === true;
    const mayRetry = !isHalfDone(error) && !isAborted;
    const isLoss = !isHalfDone(error) && (isUnreachable(error) || isOfNode(error));
    // what goes wrong in the middle may be because of what the migration does, and a node of Citus may stay away
    state.losses += isLoss && (error instanceof MigrationError || isOfNode(error)) ? 1 : 0;

    // one that may not be tried again, since the run is aborted, has not failed for it
    if (isLoss && (isAborted || state.losses <= run.retries)) {
      return this.lost([work], error, round);
    }

    const blockers = isLockTimeout(error) ? await watch.blockersOf(schemaName) : [];

    if (mayRetry && isLockTimeout(error) && (state.timeouts += 1) <= run.retries) {
      // longer than it has waited for the lock, as what waits for a lock holds up all that come after it
      state.dueAt = performance.now() + Math.max(FIRST_PAUSE_MS, run.lockTimeoutMs) * 2 ** state.timeouts;
      round.leave([work]);
      return;
    }

    if (!isUnreachable(error)) {
      trouble.hasPassed();
    }

    results.failed(schemaName, error instanceof MigrationError ? error.blockedBy(blockers) : error, durationMs);
  }

  /** Leaves a tenant that was deleted since the plan, and goes on under its new name with one that was renamed. False for all others. */
  async #follow(work: TenantWork, error: Error, round: Round): Promise<boolean> {
    const move = await moveOf(this.#parts.database, work).catch(() => undefined);

    if (move?.kind === 'gone') {
      this.#parts.results.gone(work.schemaName);
    } else if (move?.kind === 'renamed') {
      const renamed = { ...work, schemaName: move.to, plannedName: work.plannedName ?? work.schemaName };
      this.#parts.results.renamed(work.schemaName, renamed);
      this.renamed.push(renamed);
      round.leave([renamed]);
    } else if (error instanceof OtherSchemaError) {
      // its former schema is nobody's, and the one of its name is its own
      round.leave([{ ...work, schemaOid: undefined }]);
    }

    return move !== undefined || error instanceof OtherSchemaError;
  }

  /** The database is in trouble: these tenants are left for a later round. */
  lost(works: readonly TenantWork[], error: unknown, round: Round): void {
    this.#states.unanswered(works);
    round.leaveFor(error, works);
  }

  /** Reports a tenant as failed if it has been busy for longer than the time-out. */
  async busy(work: TenantWork, round: Round): Promise<void> {
    const { options, watch, trouble, results } = this.#parts;
    const { schemaName } = work;
    const now = performance.now();
    const state = this.#states.of(schemaName);
    const since = (state.busySince ??= now);
    const limit = options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS;
    trouble.hasPassed();

    if (limit === 0 || now - since < limit) {
      watch.isBusy(schemaName);
      round.leave([work]);
    } else {
      results.failed(schemaName, MigrationError.busy(schemaName, now - since, await watch.holdersOf(schemaName)), now - since);
    }
  }
}

/** The shortest pause between two attempts at a tenant. */
export const FIRST_PAUSE_MS = 50;
