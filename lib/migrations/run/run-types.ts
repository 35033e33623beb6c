import type { TenantSelection } from './selection.js';

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
