import type { TenantWork } from './tenant-run.js';

/** What is known of a tenant from the attempts at it. */
export interface TenantState {
  /** The migrations that were committed. */
  readonly done: string[];
  /** The migrations of a message whose answer was lost: it is not known whether they were committed. */
  sent: readonly string[];
  /** Whether it was in a message that was lost, and is migrated alone from then on. */
  alone: boolean;
  /** How often its connection was lost. */
  losses: number;
  /** How often it has waited for a lock in vain. */
  timeouts: number;
  /** When it may be tried again. */
  dueAt: number;
  /** When it was first found busy. */
  busySince: number | undefined;
}

/** The tenants of a run between two attempts. */
export class TenantStates {
  readonly #states = new Map<string, TenantState>();

  of(schemaName: string): TenantState {
    let state = this.#states.get(schemaName);

    if (state === undefined) {
      state = { done: [], sent: [], alone: false, losses: 0, timeouts: 0, dueAt: 0, busySince: undefined };
      this.#states.set(schemaName, state);
    }

    return state;
  }

  /** From now on, each of them is migrated alone. */
  separate(works: readonly TenantWork[]): void {
    for (const { schemaName } of works) {
      const state = this.of(schemaName);
      state.alone = true;
    }
  }

  /** Their migrations were sent, and the answer was lost. */
  unanswered(works: readonly TenantWork[]): void {
    for (const { schemaName, planned } of works) {
      const state = this.of(schemaName);
      state.sent = planned.map(({ name }) => name);
    }
  }

  /** Forgets what was done, which the database has lost. */
  lost(schemaNames: readonly string[]): void {
    schemaNames.forEach(schemaName => this.#states.delete(schemaName));
  }

  isDue({ schemaName }: TenantWork): boolean {
    return performance.now() >= (this.#states.get(schemaName)?.dueAt ?? 0);
  }

  /** Until a tenant is due, at most the given time if one is already. */
  pauseBefore(left: readonly TenantWork[], pause: number): number {
    const now = performance.now();
    const waits = left.map(({ schemaName }) => this.of(schemaName).dueAt - now);

    return waits.some(wait => wait <= 0) ? pause : Math.max(0, Math.ceil(Math.min(...waits)));
  }
}
