import type { Transaction } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { LRUCache } from 'lru-cache';
import { MigrationError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import type { TenantEntityManager } from '../../orm/tenant-entity-manager.js';
import { findSessionStatement } from '../../postgres/session-statement.js';
import type { Scope } from '../../scope/scope.js';
import type { TenantMigration } from '../set/migration-set.js';

/** Creates a migration that can use its transaction only while `mayUseDatabase()` returns true. */
export function newMigration(
  database: TenantDatabase,
  { MigrationClass, name }: TenantMigration,
  {
    ctx,
    scope,
    mayUseDatabase,
    mayEndTransaction = false,
    onStatement,
  }: {
    readonly ctx: Transaction | undefined;
    readonly scope: Scope | undefined;
    readonly mayUseDatabase: () => boolean;
    readonly mayEndTransaction?: boolean;
    readonly onStatement?: (sql: string) => Promise<void>;
  },
): { readonly instance: Migration; readonly wasStopped: () => boolean } {
  const instance: Migration = new MigrationClass(database.orm.em.getDriver(), database.orm.config);
  const getEntityManager = instance.getEntityManager.bind(instance);
  const execute = instance.execute.bind(instance);
  let stopped = false;
  instance.reset();

  // relies on MikroORM 7's `Migration`: all its methods that use the database read this property first
  Object.defineProperty(instance, 'ctx', {
    get: () => {
      if (!mayUseDatabase()) {
        stopped = true;
        throw new Error('the migration has to wait for the statements before it');
      }

      return ctx;
    },
  });
  instance.execute = async (sql, params) => {
    if (!mayEndTransaction) {
      refuseSessionStatement(sql, name);
    }

    await onStatement?.(textOf(database, sql));

    return execute(sql, params);
  };
  instance.getEntityManager = () => {
    const em = getEntityManager() as unknown as TenantEntityManager;

    if (scope !== undefined) {
      em.bindToScope(scope);
    }

    return em;
  };

  return { instance, wasStopped: () => stopped };
}

/** The text of a queued statement, with its values in it. */
export function textOf(database: TenantDatabase, query: ReturnType<Migration['getQueries']>[number]): string {
  if (typeof query === 'string') {
    return query;
  }

  const raw = 'toRaw' in query ? query.toRaw() : query;

  return database.orm.em.getPlatform().formatQuery(raw.sql, raw.params);
}

/**
 * Refuses a statement that would end the transaction of the tenant, or whose effect on the connection would outlive the migration.
 *
 * @throws MigrationError `MIGRATION_SESSION_STATE`
 */
export function refuseSessionStatement(sql: unknown, migration: string): void {
  if (typeof sql !== 'string' || accepted.has(sql)) {
    return;
  }

  const statement = findSessionStatement(sql);

  if (statement !== undefined) {
    throw MigrationError.sessionState(migration, statement);
  }

  if (sql.length <= LONGEST_KEPT) {
    accepted.set(sql, true);
  }
}

/** Most migrations queue the same statements for each tenant. */
const accepted = new LRUCache<string, true>({ max: 500 });

const LONGEST_KEPT = 10_000;
