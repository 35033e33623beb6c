import { AsyncLocalStorage } from 'node:async_hooks';
import type { Configuration } from '@mikro-orm/core';
import type { TenantIdentity } from './tenant-identity.js';

/**
 * What an async flow runs in: the public scope or one tenant. None is `undefined`.
 * `config` is that of the ORM it belongs to, so that two of them in one flow do not see each other's.
 */
export type Scope<Tenant = unknown> = PublicScope | TenantScope<Tenant>;

export interface PublicScope extends EnteredScope {
  readonly kind: 'public';
  readonly config: Configuration;
  readonly outer: Scope | undefined;
}

export interface TenantScope<Tenant = unknown> extends EnteredScope {
  readonly kind: 'tenant';
  readonly config: Configuration;
  readonly outer: Scope | undefined;
  readonly tenant: Tenant;
  readonly schemaName: string;
  /** Which tenant it is, whoever has its name later. Undefined if the tenant is locked as long as the scope lives. */
  readonly identity?: TenantIdentity | undefined;
}

interface EnteredScope {
  /** The EntityManager that it was entered with. Here, as every request has one: a `WeakMap` takes longer than all else that enters a scope. */
  em?: object | undefined;
}

/** The innermost scope of this async flow, of whichever ORM. */
export function innermostScope(): Scope | undefined {
  return storage.getStore();
}

/** Whether it is the innermost scope of this async flow, and of the ORM of `config`. */
export function isInnermost(scope: object | undefined, config: Configuration): boolean {
  const innermost = storage.getStore();

  return innermost !== undefined && innermost === scope && innermost.config === config;
}

/** The innermost scope of this async flow that belongs to the ORM of `config`. */
export function currentScope(config: Configuration): Scope | undefined {
  let scope = storage.getStore();

  while (scope !== undefined && scope.config !== config) {
    scope = scope.outer;
  }

  return scope;
}

/** Whether the innermost scope is that of a tenant of this ORM with this schema. Asked for several times with each entity. */
export function isInTenant(schemaName: string, config: Configuration): boolean {
  const scope = storage.getStore();

  return scope?.kind === 'tenant' && scope.schemaName === schemaName && scope.config === config;
}

/** Runs `fn` in the scope, or in none; afterwards, also after a throw, the flow is where it was. */
export function withScope<Result>(scope: Scope | undefined, fn: () => Result): Result {
  // entering where the flow is already would copy all that it has
  return storage.getStore() === scope ? fn() : storage.run(scope, fn);
}

const storage = new AsyncLocalStorage<Scope | undefined>();
