import type { TenantOperation } from '../tenant/hook-options.js';
import type { Scope } from './scope.js';

/** What telemetry is told. An ORM without telemetry has none, and nothing is made for it. */
export interface TenantObserver {
  /** Runs what creates, renames or drops one tenant, or a run of migrations over many. */
  operation<Result>(operation: ObservedOperation, fn: () => Promise<Result>): Promise<Result>;

  /** A run has migrated a tenant, or failed to. */
  migrated(result: { readonly schemaName: string; readonly durationMs: number; readonly error?: unknown }): void;

  /** It was decided who is meant by a request. */
  resolved(resolution: Resolution): void;

  /** Runs work in a scope. */
  entered<Result>(scope: Scope, fn: () => Result): Result;
}

export type ObservedOperation =
  | { readonly name: Exclude<TenantOperation, 'migrate'>; readonly schemaName: string }
  | { readonly name: 'run'; readonly schemaName?: undefined };

export interface Resolution {
  /** `tenant`, `public`, `redirected`, or the code of the error. */
  readonly outcome: string;
  readonly schemaName: string | undefined;
  /** When it began, in `Date.now()`'s terms. */
  readonly startedAt: number;
  /** Whether it had to wait, as for the database. */
  readonly hasWaited: boolean;
}

/** Runs an operation, under observation if there is any. */
export function observed<Result>(
  { observer }: { readonly observer: TenantObserver | undefined },
  operation: ObservedOperation,
  fn: () => Promise<Result>,
): Promise<Result> {
  return observer === undefined ? fn() : observer.operation(operation, fn);
}
