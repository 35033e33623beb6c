import { AsyncLocalStorage } from 'node:async_hooks';
import type { Configuration } from '@mikro-orm/core';
import { currentScope, type TenantScope } from '../../scope/scope.js';
import { isSameTenant, nobody, type TenantRef } from '../../scope/tenant-identity.js';

/** The target of SQL: a tenant, the public schema, none, the library itself, or code that sets path and role itself. */
export type SqlTarget = TenantTarget | { readonly kind: 'public' | 'none' | 'library' | 'unguarded' };

interface TenantTarget extends TenantRef {
  readonly kind: 'tenant';

  /** The tenant of the EntityManager that sends the SQL, where that is another one: a name without a schema would be either's. */
  readonly sentBy?: string;
}

/**
 * The SQL target at this point of the async flow. An EntityManager, a query or the library sets it with one of the functions below. Without
 * that, it is the scope's. `config` identifies the ORM that sends the SQL.
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
 * stays the target, and what the library runs stays the library's. If the EntityManager is of another tenant, what names no schema is
 * refused; if that tenant has the scope's name, a former or a later one, every statement is.
 */
export function forTenant<Result>({ config, publicSchema }: TargetRules, tenant: TenantRef | undefined, fn: () => Result): Result {
  if (tenant === undefined || tenant.schemaName === publicSchema) {
    return fn();
  }

  const { schemaName, identity } = tenant;
  const scope = currentScope(config);

  if (scope?.kind === 'tenant') {
    if (schemaName === scope.schemaName && isSameTenant(identity, scope.identity)) {
      return fn();
    }

    // not refused here: work without a statement, such as the end of a transaction, has to go on
    if (schemaName === scope.schemaName) {
      return withTarget(config, { kind: 'tenant', schemaName, identity: nobody(schemaName) }, fn);
    }

    return isOwnQuery(sqlTarget(config)) ? fn() : withTarget(config, { ...targetOf(scope), sentBy: schemaName }, fn);
  }

  const target = sqlTarget(config);

  return isOwnQuery(target) || isMoreExact(target, tenant) ? fn() : withTarget(config, { kind: 'tenant', schemaName, identity }, fn);
}

// a query of the driver itself has no EntityManager, so it does not know which tenant it is for
function isMoreExact(target: SqlTarget, { schemaName, identity }: TenantRef): boolean {
  return identity === undefined && target.kind === 'tenant' && target.schemaName === schemaName;
}

/** Runs `fn` with the library as the target of its SQL: the guard sets no path for it. */
export function forLibrary<Result>(config: Configuration, fn: () => Result): Result {
  return isOwnQuery(sqlTarget(config)) ? fn() : withTarget(config, { kind: 'library' }, fn);
}

/** Runs `fn` with the public schema as the target of its SQL, in every scope. A tenant's role must not limit which tenants are found. */
export function forPublic<Result>(config: Configuration, fn: () => Result): Result {
  return isOwnQuery(sqlTarget(config)) ? fn() : withTarget(config, PUBLIC, fn);
}

/** Runs `fn` with the library as the target of its transactions, also on a connection that is used without the guard. */
export function inLibraryTransaction<Result>(config: Configuration, fn: () => Result): Result {
  return withTarget(config, { kind: 'library' }, fn);
}

/** Runs `fn` with its SQL sent unchanged. `fn` sets path and role itself, for the session too. */
export function withoutGuard<Result>(config: Configuration, fn: () => Result): Result {
  return withTarget(config, { kind: 'unguarded' }, fn);
}

/** Runs `fn` with the scope of this ORM as the target of its SQL. */
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

function isOwnQuery({ kind }: SqlTarget): boolean {
  return kind === 'library' || kind === 'unguarded';
}

function targetOfScope(config: Configuration): SqlTarget {
  const scope = currentScope(config);

  return scope === undefined ? NONE : scope.kind === 'public' ? PUBLIC : scope;
}

function targetOf({ schemaName, identity }: TenantScope): TenantTarget {
  return { kind: 'tenant', schemaName, identity };
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
