import type { Transaction } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { MigrationError } from '../../errors/index.js';
import type { TenantEntityManager } from '../../orm/tenant-entity-manager.js';
import { forLibrary } from '../../connection/sql-target.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { innermostScope, withScope, type Scope } from '../../scope/scope.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { History } from '../history/history.js';
import type { TenantMigration } from '../set/migration-set.js';
import { Script } from './script.js';
import { findSessionStatement } from '../../postgres/session-statement.js';

export interface SchemaRun {
  readonly schemaName: string;
  /** The tenant's row where it is at hand; what is known of it otherwise. */
  readonly tenant?: unknown;
  readonly direction: 'up' | 'down';
  /** What is to run, in this order. */
  readonly planned: readonly TenantMigration[];
  /** The transaction that everything runs in; whoever began it commits it. */
  readonly ctx: Transaction;
  /** Statements that go before the first migration, in the same message. */
  readonly before?: readonly string[];
  /** Whether the history table is known to be there. */
  readonly hasHistory?: boolean;
  /** Whether the schema is new, so that its tables are empty and nobody is using them. */
  readonly isNew?: boolean;
}

/**
 * Runs migrations in one schema, in the given transaction. What they queue is sent in as few messages as the database takes; one that
 * reads, or uses the ORM, finds all that those before it have queued.
 *
 * @throws MigrationError `MIGRATION_FAILED` with migration, statement and cause; the transaction is then good for nothing but a rollback.
 */
export function migrateSchema(database: TenantDatabase, run: SchemaRun): Promise<void> {
  return forLibrary(database.orm.config, () => migrate(database, run));
}

async function migrate(database: TenantDatabase, run: SchemaRun): Promise<void> {
  const { schemaName, direction, planned, ctx } = run;
  const scope = scopeFor(database, run);
  const history = new History(database, schemaName);
  const script = new Script(database, schemaName, ctx);

  script.add(KEEP_PATH);

  run.before?.forEach(sql => script.add(sql));

  if (direction === 'up' && run.hasHistory !== true) {
    script.add(history.createTableSql());
  }

  for (const migration of planned) {
    // for each anew, as the one before it may have set another
    script.add(`set local search_path to ${searchPathOf(schemaName, ...database.options.searchPath)}`);

    try {
      await withScope(scope, () => queueMigration(database, { migration, script, scope, run }));
    } catch (error) {
      throw error instanceof MigrationError ? error : MigrationError.failed(migration.name, schemaName, error);
    }

    script.add(direction === 'up' ? history.addSql(migration.name) : history.removeSql(migration.name));
  }

  // a caller's transaction goes on with the path it had; a run's own ends, and what is then put back is the session's
  script.add(run.isNew === true ? RESTORE_PATH : RESTORE_SESSION_PATH);
  await script.send();
}

/** The SQL that a migration queues in a tenant's scope, without a database; not complete where it goes on to read one. */
export async function queuedSql(
  database: TenantDatabase,
  migration: TenantMigration,
  direction: 'up' | 'down',
  schemaName: string,
): Promise<{ readonly sql: readonly string[]; readonly isComplete: boolean }> {
  const { instance, wasStopped } = newMigration(database, migration, {
    ctx: undefined,
    scope: undefined,
    mayTouch: () => false,
    mayEndTransaction: !migration.transactional,
  });

  try {
    await withScope(scopeFor(database, { schemaName }), async () => instance[direction]());
  } catch (error) {
    if (!wasStopped()) {
      throw error instanceof MigrationError ? error : MigrationError.failed(migration.name, schemaName, error);
    }
  }

  const sql = instance.getQueries().map(query => textOf(database, query));

  if (migration.transactional) {
    sql.forEach(each => refuseSessionStatement(each, migration.name));
  }

  return { sql, isComplete: !wasStopped() };
}

function textOf(database: TenantDatabase, query: ReturnType<Migration['getQueries']>[number]): string {
  if (typeof query === 'string') {
    return query;
  }

  const raw = 'toRaw' in query ? query.toRaw() : query;

  return database.orm.em.getPlatform().formatQuery(raw.sql, raw.params);
}

/**
 * Runs one migration on a connection that is not in a transaction, in the tenant's scope. Sets no path and records nothing. Tells of each
 * statement that was queued before it is sent.
 */
export async function runOnConnection(
  database: TenantDatabase,
  migration: TenantMigration,
  {
    schemaName,
    direction,
    ctx,
    onStatement,
  }: Pick<SchemaRun, 'schemaName' | 'direction' | 'ctx'> & { readonly onStatement: (sql: string) => void },
): Promise<void> {
  const scope = scopeFor(database, { schemaName });
  const { instance } = newMigration(database, migration, { ctx, scope, mayTouch: () => true, mayEndTransaction: true });
  await withScope(scope, async () => instance[direction]());

  for (const query of instance.getQueries()) {
    onStatement(textOf(database, query));
    await database.orm.em.getDriver().execute(query, undefined, 'run', ctx);
  }
}

function scopeFor(database: TenantDatabase, { schemaName, tenant }: Pick<SchemaRun, 'schemaName' | 'tenant'>): Scope {
  return {
    kind: 'tenant',
    host: database,
    outer: innermostScope(),
    tenant: tenant ?? { schemaName },
    schemaName: database.rules.checkSchemaName(schemaName),
  };
}

interface QueuedMigration {
  readonly migration: TenantMigration;
  readonly script: Script;
  readonly scope: Scope;
  readonly run: SchemaRun;
}

async function queueMigration(database: TenantDatabase, queued: QueuedMigration): Promise<void> {
  const { script, run, migration } = queued;
  const connection = { ctx: run.ctx, scope: queued.scope };
  const probe = newMigration(database, migration, { ...connection, mayTouch: () => script.isEmpty });
  let instance = probe.instance;

  try {
    await instance[run.direction]();
  } catch (error) {
    if (!probe.wasStopped()) {
      throw error;
    }
  }

  if (probe.wasStopped()) {
    // it wants the connection: now that what was queued before it has run, it may have it. Up to here it had only queued
    await script.send();
    instance = newMigration(database, migration, { ...connection, mayTouch: () => true }).instance;
    await instance[run.direction]();
  }

  for (const query of instance.getQueries()) {
    if (typeof query === 'string') {
      refuseSessionStatement(query, migration.name);
      script.add(run.isNew === true ? withoutConcurrently(query) : query, migration.name);
    } else {
      await script.send();
      await database.orm.em.getDriver().execute(query, undefined, 'run', run.ctx);
    }
  }
}

/** A migration whose transaction is at hand only while `mayTouch` says so. */
function newMigration(
  database: TenantDatabase,
  { MigrationClass, name }: TenantMigration,
  {
    ctx,
    scope,
    mayTouch,
    mayEndTransaction = false,
  }: {
    readonly ctx: Transaction | undefined;
    readonly scope: Scope | undefined;
    readonly mayTouch: () => boolean;
    readonly mayEndTransaction?: boolean;
  },
): { readonly instance: Migration; readonly wasStopped: () => boolean } {
  const instance: Migration = new MigrationClass(database.orm.em.getDriver(), database.orm.config);
  const getEntityManager = instance.getEntityManager.bind(instance);
  const execute = instance.execute.bind(instance);
  let stopped = false;
  instance.reset();

  // everything that reaches the database from a migration reads this property first; relies on MikroORM 7's `Migration` in that
  Object.defineProperty(instance, 'ctx', {
    get: () => {
      if (!mayTouch()) {
        stopped = true;
        throw new Error('a migration is waiting for those before it');
      }

      return ctx;
    },
  });
  instance.execute = async (sql, params) => {
    if (!mayEndTransaction) {
      refuseSessionStatement(sql, name);
    }

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

/**
 * Refuses what would outlive the migration on its connection, or end the transaction that holds the tenant together.
 *
 * @throws MigrationError `MIGRATION_SESSION_STATE`
 */
function refuseSessionStatement(sql: unknown, migration: string): void {
  const statement = typeof sql === 'string' ? findSessionStatement(sql) : undefined;

  if (statement !== undefined) {
    throw MigrationError.sessionState(migration, statement);
  }
}

// in a new tenant nobody is there to be concurrent with, and its creation is one transaction
function withoutConcurrently(sql: string): string {
  return sql.replace(/^(\s*(?:create\s+(?:unique\s+)?index|drop\s+index))\s+concurrently\b/i, '$1');
}

/** Remembers the path, in a setting of the transaction's: PostgreSQL takes any that has a dot in its name. */
export const KEEP_PATH = `select set_config('landlord.search_path', current_setting('search_path'), true)`;

const RESTORE_PATH = `select set_config('search_path', current_setting('landlord.search_path'), true)`;

/** Also undoes what a function that a migration called has set for the session, as the first line of a dump does. */
export const RESTORE_SESSION_PATH = `select set_config('search_path', current_setting('landlord.search_path'), false)`;
