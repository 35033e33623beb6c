import type { MikroORM } from '@mikro-orm/core';
import type { AbstractSqlDriver, BasePostgreSqlEntityManager } from '@mikro-orm/postgresql';
import type { Scope } from './scope.js';

/** The methods that an EntityManager with tenants adds to MikroORM's own. */
export interface TenantEntityManagerMethods {
  /** Persists the entities and flushes: `em.persist(…).flush()`. All other pending changes are stored too. */
  persistAndFlush(entities: object | Iterable<object>): Promise<void>;

  /** Removes the entities and flushes: `em.remove(…).flush()`. All other pending changes are stored too. */
  removeAndFlush(entities: object | Iterable<object>): Promise<void>;

  /** @internal Binds this fork to a scope. */
  bindToScope(scope: Scope): void;
}

/** The EntityManager of a wrapped ORM, for code that cannot import its class from `lib/orm`. */
export type WrappedEntityManager = BasePostgreSqlEntityManager & TenantEntityManagerMethods;

/** An ORM that was initialised from a config that `withTenants()` has wrapped. */
export type WrappedOrm = MikroORM<AbstractSqlDriver, WrappedEntityManager>;
