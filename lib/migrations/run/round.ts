import { hasNoConnectionLeft } from '../../postgres/sql-state.js';
import type { TenantWork } from './tenant-run.js';

/** One visit to each tenant of a run. */
export class Round {
  /** The tenants that are left for a later round. */
  readonly left: TenantWork[] = [];
  #trouble: unknown;
  #refusals = 0;

  /** The first error of the database. */
  get trouble(): unknown {
    return this.#trouble;
  }

  /** How many connections the server has refused. */
  get refusals(): number {
    return this.#refusals;
  }

  leave(works: readonly TenantWork[]): void {
    this.left.push(...works);
  }

  /** Leaves tenants because the database is in trouble. */
  leaveFor(error: unknown, works: readonly TenantWork[]): void {
    this.leave(works);
    this.#trouble ??= error;
    this.#refusals += hasNoConnectionLeft(error) ? 1 : 0;
  }
}
