import type { Configuration, MikroORM } from '@mikro-orm/core';
import type { AbstractSqlDriver, BasePostgreSqlEntityManager } from '@mikro-orm/postgresql';
import type { Scope } from './scope.js';

/** What an EntityManager with tenants has beside MikroORM's own. */
export interface TenantEntityManagerMethods {
  /** Marks the entities for storing and stores them at once, with whatever else is pending: `em.persist(…).flush()`. */
  persistAndFlush(entities: object | Iterable<object>): Promise<void>;

  /** Marks the entities for removal and removes them at once, with whatever else is pending: `em.remove(…).flush()`. */
  removeAndFlush(entities: object | Iterable<object>): Promise<void>;

  /** @internal Makes this fork the one of a scope. */
  bindToScope(scope: Scope): void;
}

/** The EntityManager of a wrapped ORM, for the rooms below the one that makes its class. */
export type WrappedEntityManager = BasePostgreSqlEntityManager & TenantEntityManagerMethods;

/** An ORM that was initialised from a config that `withTenants()` has wrapped. */
export type WrappedOrm = MikroORM<AbstractSqlDriver, WrappedEntityManager>;

/** The config of an ORM stands for the ORM itself wherever two of them have to be told apart. */
export type OrmConfig = Configuration;
