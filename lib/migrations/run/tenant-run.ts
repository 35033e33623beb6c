import type { MigrationSet, TenantMigration } from '../set/migration-set.js';
import type { MigrationTarget } from './plan.js';
import type { RunSettings } from './run-settings.js';

export interface TenantRun {
  readonly set: MigrationSet;
  readonly target: MigrationTarget;
  /** Time-outs and the like, which hold for each tenant's transaction. */
  readonly settings: RunSettings;
  /** How often what met another session, or lost its connection, is tried again. */
  readonly retries: number;
  /** Aborted, what fails is not tried again. */
  readonly signal?: AbortSignal | undefined;
}

/** A tenant, and what is to run in it on the history it had when the run was planned. */
export interface TenantWork {
  readonly schemaName: string;
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/** The names of the migrations that ran; or that another run has the tenant at this moment. */
export type TenantRunOutcome = readonly string[] | 'busy';
