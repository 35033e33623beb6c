import type { Durability } from './commits.js';
import type { Blocker } from '../../errors/index.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import type { TenantSelection } from './selection.js';

export interface MigrateOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends TenantSelection<Tenant> {
  /** @default 'up' */
  readonly direction?: 'up' | 'down';
  /** Up: the last migration to run. Down: the last one to keep; `0` keeps none. Down without it reverts one. */
  readonly to?: string | 0;
  /** Up only: start after this migration. */
  readonly from?: string;
  /** Run only these migrations. */
  readonly migrations?: readonly string[];
  /** Whether to run even if the public set has pending migrations. @default false */
  readonly skipPublicCheck?: boolean;
  /**
   * When the run waits for the disk: once before it ends, and after the canary (`run`), or at the commit of each tenant (`tenant`), which takes
   * longer. In between, a server that crashes loses the last tenants, each as a whole. The run finds them and migrates them again, and so does
   * the next one.
   *
   * @default 'run'
   */
  readonly durability?: Durability;
  /** How many tenants are migrated at once. Each takes a connection of the pool. @default the size of the pool, 1 on PGlite */
  readonly concurrency?: number;
  /**
   * How long a statement waits for a lock of another session, in milliseconds; 0 means for ever. What comes after it waits too, such as the
   * requests of the tenant, so it should be what a request can bear. For a tenant that another run is migrating, see `busyTimeoutMs`.
   *
   * @default 1000
   */
  readonly lockTimeoutMs?: number;
  /** How long the run waits for a tenant that another run or session has locked, in milliseconds; 0 means for ever. @default 600000 */
  readonly busyTimeoutMs?: number;
  /** The maximum duration of a statement, in milliseconds. @default the setting of the server */
  readonly statementTimeoutMs?: number;
  /**
   * How often a tenant is retried after a lock that it did not get, a conflict with another session or a lost connection. After a lock time-out
   * it is left for later: it is retried after twice as long as it waited, then after four times, and so on.
   *
   * @default 3
   */
  readonly retries?: number;
  /** The run stops after this number of failures: tenants in progress are finished and may fail too, the others are not started. @default no limit */
  readonly maxFailures?: number;
  /** The run stops after this number of failures of one cause, if no tenant was migrated; 0 means never. @default 10 */
  readonly maxEqualFailures?: number;
  /**
   * How long the run waits for a database that restarts, cannot be reached or has no connection left, in milliseconds. The time counts from the
   * last success. The run then stops.
   *
   * @default 60000
   */
  readonly databaseTimeoutMs?: number;
  /** The tenants to migrate first: schema names, or a number of tenants. If one of them fails, no other tenant is started. */
  readonly canary?: number | readonly string[];
  /** After an abort, tenants in progress are finished, and the others are not started. */
  readonly signal?: AbortSignal;
  /** Called with the numbers of tenants before the first one is started. If it throws, the error is rethrown at the end of the run. */
  readonly onPlan?: (plan: RunPlan) => void;
  /** Called for each tenant that was migrated or failed. If it throws, the error is rethrown at the end of the run. */
  readonly onProgress?: (result: TenantRunResult) => void;
  /** Called with what an operator wants to know while the run goes on. If it throws, the error is rethrown at the end of the run. */
  readonly onNotice?: (notice: RunNotice) => void;
}

/** What happens during a run besides the results of tenants. */
export type RunNotice =
  /** The database is in trouble, and the run waits for it. */
  | { readonly kind: 'waiting'; readonly error: unknown; readonly timeoutMs: number }
  /** The database answers again. */
  | { readonly kind: 'back'; readonly waitedMs: number }
  /** The server has crashed and lost these tenants' migrations. They run again. */
  | { readonly kind: 'lost'; readonly schemaNames: readonly string[] }
  /** A tenant waits for locks that these sessions hold. */
  | { readonly kind: 'blocked'; readonly schemaName: string; readonly blockers: readonly Blocker[] }
  /** The tenant was deleted since the run was planned, and is left out. */
  | { readonly kind: 'gone'; readonly schemaName: string }
  /** The tenant was renamed since the run was planned. It goes on under its new name. */
  | { readonly kind: 'renamed'; readonly schemaName: string; readonly to: string }
  /** An earlier attempt has left an invalid index behind. It was dropped, and is built again. */
  | { readonly kind: 'rebuilt'; readonly schemaName: string; readonly index: string };

/** Why a run has stopped before all tenants were started. */
export type RunStop =
  | { readonly reason: 'aborted' | 'failures' | 'equal failures' | 'canary' }
  | { readonly reason: 'database'; readonly error: unknown };

/** The numbers of tenants in a run. */
export interface RunPlan {
  readonly total: number;
  /** How many tenants are up to date. */
  readonly upToDate: number;
  /** How many tenants have pending migrations. */
  readonly work: number;
}

/** The result for one tenant. Tenants that are up to date have no result. */
export type TenantRunResult = { readonly schemaName: string; readonly durationMs: number } & (
  | { readonly ok: true; readonly migrations: readonly string[] }
  | { readonly ok: false; readonly error: unknown }
);

export type TenantRunFailure = Extract<TenantRunResult, { ok: false }>;

/** The result of a run. */
export interface RunResult {
  readonly total: number;
  /** How many tenants were up to date: from the start, or because another run had migrated them. */
  readonly upToDate: number;
  readonly migrated: readonly Extract<TenantRunResult, { ok: true }>[];
  readonly failed: readonly TenantRunFailure[];
  /**
   * The schema names of tenants that were deleted during the run. Also those of tenants that were renamed before their history was read: they are migrated
   * under their new names, unless they were selected by name.
   */
  readonly gone: readonly string[];
  /** The schema names of tenants that were not started, because the run was stopped. */
  readonly notBegun: readonly string[];
  /** The schema names of migrated tenants that the server may lose if it crashes, because the run could not wait for its disk any more. */
  readonly unconfirmed: readonly string[];
  /** Why the run has stopped before its end, if it has. */
  readonly stopped?: RunStop;
  /** Tenants whose history contains migrations that are not in the set. */
  readonly unknown: readonly { readonly schemaName: string; readonly migrations: readonly string[] }[];
  readonly durationMs: number;
}
