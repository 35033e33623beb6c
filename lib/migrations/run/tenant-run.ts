import type { MigrationSet, TenantMigration } from '../set/migration-set.js';
import type { MigrationTarget } from './plan.js';
import type { RunSettings } from './run-settings.js';
import type { RunNotice } from './run-types.js';

export interface TenantRun {
  readonly set: MigrationSet;
  readonly target: MigrationTarget;
  /** Settings such as time-outs, for the work on this tenant. */
  settingsOf(schemaName: string): RunSettings;
  /** Further settings, for work that is one transaction as a whole. */
  readonly commitSettings: RunSettings;
  /** To be called with `SERVER_SESSION` before a transaction with these settings is committed. */
  readonly onSession: (session: string | null | undefined) => void;
  /** How long a statement waits for a lock of another session, in milliseconds. */
  readonly lockTimeoutMs: number;
  /** How often a tenant is retried after a conflict with another session or a lost connection. */
  readonly retries: number;
  /** After an abort, failures are not retried. */
  readonly signal?: AbortSignal | undefined;
  readonly notify: (notice: RunNotice) => void;
}

/** A tenant, its history when the run was planned, and the migrations that were planned from it. */
export interface TenantWork {
  readonly schemaName: string;
  /** The name that it had when the run was planned, if it was renamed since. */
  readonly plannedName?: string;
  /** Undefined where its schema was not there. */
  readonly schemaOid?: string | undefined;
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/** The names of the migrations that ran, or `'busy'` if another run has locked the tenant. */
export type TenantRunOutcome = readonly string[] | 'busy';
