import { AsyncLocalStorage } from 'node:async_hooks';
import { currentScope } from '../scope/scope.js';
import { isSameTenant, nobody, type TenantRef } from '../scope/tenant-identity.js';

/** Whom SQL is for: a tenant, the public schema, no one in particular, the library itself, or code that sets path and role on its own. */
export type SqlTarget = ({ readonly kind: 'tenant' } & TenantRef) | { readonly kind: 'public' | 'none' | 'library' | 'unguarded' };

/**
 * Whom SQL is for at this point of the flow: what an EntityManager, a query or the library has set by one of the functions below, else the
 * scope. `config` is that of the ORM that the SQL is of.
 */
export function sqlTarget(config: object): SqlTarget {
  for (let frame = storage.getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.config === config) {
      return frame.target ?? targetOfScope(config);
    }
  }

  return targetOfScope(config);
}

/**
 * Runs `fn` with its SQL for the tenant of an EntityManager, where the flow is in no tenant's scope. In a tenant's scope the scope's tenant
 * stays the target, and what the library runs stays the library's. An EntityManager of whoever has or had that name beside it is served by nobody.
 */
export function forTenant<Result>({ config, publicSchema }: TargetRules, tenant: TenantRef | undefined, fn: () => Result): Result {
  if (tenant === undefined || tenant.schemaName === publicSchema) {
    return fn();
  }

  const scope = currentScope(config);

  if (scope?.kind === 'tenant') {
    const isFormer = tenant.schemaName === scope.schemaName && !isSameTenant(tenant.identity, scope.identity);

    // whatever it sends is refused; what sends nothing, such as the end of its transaction, is not
    return isFormer ? withTarget(config, { kind: 'tenant', schemaName: tenant.schemaName, identity: nobody(tenant.schemaName) }, fn) : fn();
  }

  const target = sqlTarget(config);

  return isOfLibrary(target) || isKnownBetter(target, tenant)
    ? fn()
    : withTarget(config, { kind: 'tenant', schemaName: tenant.schemaName, identity: tenant.identity }, fn);
}

// a query of the driver's own has no EntityManager that would say which tenant it is
function isKnownBetter(target: SqlTarget, { schemaName, identity }: TenantRef): boolean {
  return identity === undefined && target.kind === 'tenant' && target.schemaName === schemaName;
}

/** Runs `fn` with its SQL the library's own: no path is set for it. */
export function forLibrary<Result>(config: object, fn: () => Result): Result {
  return isOfLibrary(sqlTarget(config)) ? fn() : withTarget(config, { kind: 'library' }, fn);
}

/** Runs `fn` with its SQL for no tenant, whichever scope the flow is in: a tenant's role must not decide which tenants there are. */
export function forPublic<Result>(config: object, fn: () => Result): Result {
  return isOfLibrary(sqlTarget(config)) ? fn() : withTarget(config, PUBLIC, fn);
}

/** Runs `fn` with its transactions the library's own, also on a connection that is used without the guard. */
export function inLibraryTransaction<Result>(config: object, fn: () => Result): Result {
  return withTarget(config, { kind: 'library' }, fn);
}

/** Runs `fn` with its SQL sent unchanged: `fn` itself sets path and role where it needs them, for the session too. */
export function withoutGuard<Result>(config: object, fn: () => Result): Result {
  return withTarget(config, { kind: 'unguarded' }, fn);
}

/** Runs `fn` with no target set for this ORM, so that the scope decides. */
export function forScope<Result>(config: object, fn: () => Result): Result {
  return storage.getStore() === undefined ? fn() : withTarget(config, undefined, fn);
}

/** Runs `fn` with no target set for any ORM. */
export function withoutTargets<Result>(fn: () => Result): Result {
  return storage.getStore() === undefined ? fn() : storage.run(undefined, fn);
}

function withTarget<Result>(config: object, target: SqlTarget | undefined, fn: () => Result): Result {
  return storage.run({ config, target, outer: storage.getStore() }, fn);
}

function isOfLibrary({ kind }: SqlTarget): boolean {
  return kind === 'library' || kind === 'unguarded';
}

function targetOfScope(config: object): SqlTarget {
  const scope = currentScope(config);

  return scope === undefined ? NONE : scope.kind === 'public' ? PUBLIC : scope;
}

const NONE: SqlTarget = { kind: 'none' };

const PUBLIC: SqlTarget = { kind: 'public' };

const storage = new AsyncLocalStorage<TargetFrame | undefined>();

interface TargetRules {
  readonly config: object;
  readonly publicSchema: string;
}

interface TargetFrame {
  readonly config: object;
  readonly target: SqlTarget | undefined;
  readonly outer: TargetFrame | undefined;
}
