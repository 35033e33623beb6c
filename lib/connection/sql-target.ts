import { AsyncLocalStorage } from 'node:async_hooks';
import { currentScope } from '../scope/scope.js';

/** Whom SQL is for: a tenant, the public schema, nobody in particular, the library itself, or whoever has seen to it already. */
export type SqlTarget =
  | { readonly kind: 'tenant'; readonly schemaName: string }
  | { readonly kind: 'public' | 'none' | 'library' | 'as it is' };

/**
 * Whom SQL of the ORM that `host` stands for is for, at this point of the flow: what an EntityManager, a query or the library has said
 * by one of the functions below, else the scope.
 */
export function sqlTarget(host: object): SqlTarget {
  for (let said = storage.getStore(); said !== undefined; said = said.outer) {
    if (said.host === host) {
      return said.target ?? targetOfScope(host);
    }
  }

  return targetOfScope(host);
}

/**
 * Runs `fn` with its SQL for the tenant that an EntityManager has, where the flow is in none: in a tenant's scope it is that tenant's,
 * whatever an EntityManager says, and what the library runs stays the library's.
 */
export function forTenant<Result>(host: SqlHost, schemaName: string | undefined, fn: () => Result): Result {
  return schemaName === undefined ||
    schemaName === host.publicSchema ||
    currentScope(host)?.kind === 'tenant' ||
    isLibrarys(sqlTarget(host))
    ? fn()
    : say(host, { kind: 'tenant', schemaName }, fn);
}

/** Runs `fn` with its SQL the library's own: no path is set for it. */
export function forLibrary<Result>(host: object, fn: () => Result): Result {
  return isLibrarys(sqlTarget(host)) ? fn() : say(host, { kind: 'library' }, fn);
}

/**
 * Runs `fn` with its SQL for no tenant, whichever scope the flow is in: which tenants there are is not for a tenant's role to say.
 */
export function forPublic<Result>(host: object, fn: () => Result): Result {
  return isLibrarys(sqlTarget(host)) ? fn() : say(host, PUBLIC, fn);
}

/** Runs `fn` with its transactions the library's own, also where its connection is used as it is. */
export function inLibraryTransaction<Result>(host: object, fn: () => Result): Result {
  return say(host, { kind: 'library' }, fn);
}

/** Runs `fn` with its SQL sent as it is: it sets itself what has to be set, for the session too. */
export function withoutGuard<Result>(host: object, fn: () => Result): Result {
  return say(host, { kind: 'as it is' }, fn);
}

/** Runs `fn` with nothing said, so that the scope decides. */
export function forScope<Result>(host: object, fn: () => Result): Result {
  return storage.getStore() === undefined ? fn() : say(host, undefined, fn);
}

/** Runs `fn` with nothing said for any ORM. */
export function withoutTargets<Result>(fn: () => Result): Result {
  return storage.getStore() === undefined ? fn() : storage.run(undefined, fn);
}

function say<Result>(host: object, target: SqlTarget | undefined, fn: () => Result): Result {
  return storage.run({ host, target, outer: storage.getStore() }, fn);
}

function isLibrarys({ kind }: SqlTarget): boolean {
  return kind === 'library' || kind === 'as it is';
}

function targetOfScope(host: object): SqlTarget {
  const scope = currentScope(host);

  return scope === undefined ? NONE : scope.kind === 'public' ? PUBLIC : scope;
}

const NONE: SqlTarget = { kind: 'none' };

const PUBLIC: SqlTarget = { kind: 'public' };

const storage = new AsyncLocalStorage<Said | undefined>();

/** The ORM that SQL is of. */
interface SqlHost {
  readonly publicSchema: string;
}

interface Said {
  readonly host: object;
  readonly target: SqlTarget | undefined;
  readonly outer: Said | undefined;
}
