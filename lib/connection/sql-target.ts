import { AsyncLocalStorage } from 'node:async_hooks';
import type { Configuration } from '@mikro-orm/core';
import { currentScope } from '../scope/scope.js';

/** Whom SQL is for: a tenant, the public schema, no one in particular, the library itself, or code that sets path and role on its own. */
export type SqlTarget =
  | { readonly kind: 'tenant'; readonly schemaName: string }
  | { readonly kind: 'public' | 'none' | 'library' | 'unguarded' };

/**
 * Whom SQL is for at this point of the flow: what an EntityManager, a query or the library has set by one of the functions below, else the
 * scope. `config` is that of the ORM that the SQL is of.
 */
export function sqlTarget(config: Configuration): SqlTarget {
  for (let frame = storage.getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.config === config) {
      return frame.target ?? targetOfScope(config);
    }
  }

  return targetOfScope(config);
}

/**
 * Runs `fn` with its SQL for the tenant of an EntityManager, where the flow is in no tenant's scope. In a tenant's scope the scope's tenant
 * stays the target, and what the library runs stays the library's.
 */
export function forTenant<Result>({ config, publicSchema }: TargetRules, schemaName: string | undefined, fn: () => Result): Result {
  return schemaName === undefined ||
    schemaName === publicSchema ||
    currentScope(config)?.kind === 'tenant' ||
    isOfLibrary(sqlTarget(config))
    ? fn()
    : withTarget(config, { kind: 'tenant', schemaName }, fn);
}

/** Runs `fn` with its SQL the library's own: no path is set for it. */
export function forLibrary<Result>(config: Configuration, fn: () => Result): Result {
  return isOfLibrary(sqlTarget(config)) ? fn() : withTarget(config, { kind: 'library' }, fn);
}

/** Runs `fn` with its SQL for no tenant, whichever scope the flow is in: a tenant's role must not decide which tenants there are. */
export function forPublic<Result>(config: Configuration, fn: () => Result): Result {
  return isOfLibrary(sqlTarget(config)) ? fn() : withTarget(config, PUBLIC, fn);
}

/** Runs `fn` with its transactions the library's own, also on a connection that is used without the guard. */
export function inLibraryTransaction<Result>(config: Configuration, fn: () => Result): Result {
  return withTarget(config, { kind: 'library' }, fn);
}

/** Runs `fn` with its SQL sent unchanged: `fn` itself sets path and role where it needs them, for the session too. */
export function withoutGuard<Result>(config: Configuration, fn: () => Result): Result {
  return withTarget(config, { kind: 'unguarded' }, fn);
}

/** Runs `fn` with no target set for this ORM, so that the scope decides. */
export function forScope<Result>(config: Configuration, fn: () => Result): Result {
  return storage.getStore() === undefined ? fn() : withTarget(config, undefined, fn);
}

/** Runs `fn` with no target set for any ORM. */
export function withoutTargets<Result>(fn: () => Result): Result {
  return storage.getStore() === undefined ? fn() : storage.run(undefined, fn);
}

function withTarget<Result>(config: Configuration, target: SqlTarget | undefined, fn: () => Result): Result {
  return storage.run({ config, target, outer: storage.getStore() }, fn);
}

function isOfLibrary({ kind }: SqlTarget): boolean {
  return kind === 'library' || kind === 'unguarded';
}

function targetOfScope(config: Configuration): SqlTarget {
  const scope = currentScope(config);

  return scope === undefined ? NONE : scope.kind === 'public' ? PUBLIC : scope;
}

const NONE: SqlTarget = { kind: 'none' };

const PUBLIC: SqlTarget = { kind: 'public' };

const storage = new AsyncLocalStorage<TargetFrame | undefined>();

interface TargetRules {
  readonly config: Configuration;
  readonly publicSchema: string;
}

interface TargetFrame {
  readonly config: Configuration;
  readonly target: SqlTarget | undefined;
  readonly outer: TargetFrame | undefined;
}
