import { IsolationLevel, type Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { isOwned } from '../../database/owned-schemas.js';
import { LOCK_KEY, lockTenant } from '../../database/tenant-lock.js';
import { SchemaMissingError, SnapshotError } from '../../errors/index.js';
import type { TenantEntityManager } from '../../orm/tenant-entity-manager.js';
import { quoteTable } from '../../postgres/schema-name.js';
import { hasSqlState, isDeadlock, isLockTimeout } from '../../postgres/sql-state.js';
import { made } from './rows.js';

/**
 * Runs `fn` in a transaction that sees a tenant's schema as of one moment, in which nothing migrates, renames or drops it.
 *
 * With `storesHosts`, `fn` stores hosts of tenants, which takes a transaction that sees what others have stored meanwhile. Nobody writes in the tables until
 * its end then. Writers that are at work are waited for only as long as those can bear that wait in turn.
 *
 * The tables are locked before the transaction takes its snapshot: a table that a migration rewrites meanwhile would be empty to an older one. The
 * tenant's lock is tried only, because whoever has it may be waiting for the tables.
 *
 * @throws SnapshotError `SNAPSHOT_IN_TRANSACTION`, `SNAPSHOT_BUSY`
 * @throws SchemaMissingError `SCHEMA_MISSING`
 * @throws SchemaProtectedError `SCHEMA_PROTECTED`
 */
export async function inSnapshot<Result>(
  database: TenantDatabase,
  em: TenantEntityManager,
  { schemaName, action, storesHosts = false }: SnapshotOf,
  fn: (tx: TenantEntityManager, ctx: Transaction) => Promise<Result>,
): Promise<Result> {
  if (em.isInTransaction()) {
    throw SnapshotError.inTransaction(schemaName);
  }

  database.rules.checkSchemaName(schemaName);

  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const tables = await tablesOf(database, schemaName, undefined);

    try {
      return await em.transactional(
        async tx => {
          const ctx = tx.getTransactionContext();
          await lockTables(database, { schemaName, tables, mode: storesHosts ? 'share' : 'access share' }, ctx);
          const [lock] = await database.execute<{ locked: boolean }>(
            `select pg_try_advisory_xact_lock(${LOCK_KEY}) as locked`,
            [schemaName],
            ctx,
          );

          if (!(await isOwned(database, schemaName, action, ctx))) {
            throw SchemaMissingError.ofTenant(schemaName);
          }

          if (lock?.locked !== true || tables.join('\0') !== (await tablesOf(database, schemaName, ctx)).join('\0')) {
            throw CHANGED;
          }

          return fn(tx, ctx);
        },
        { isolationLevel: storesHosts ? IsolationLevel.READ_COMMITTED : IsolationLevel.REPEATABLE_READ },
      );
    } catch (error) {
      if (error !== CHANGED) {
        throw error;
      }
    }

    // waits for whoever has it, without the tables
    await database.inTransaction(ctx => lockTenant(database, schemaName, ctx));
  }

  throw SnapshotError.busy(schemaName);
}

interface SnapshotOf {
  readonly schemaName: string;
  readonly action: 'clone' | 'export';
  /** @default false */
  readonly storesHosts?: boolean;
}

async function lockTables(
  database: TenantDatabase,
  {
    schemaName,
    tables,
    mode,
  }: { readonly schemaName: string; readonly tables: readonly string[]; readonly mode: 'share' | 'access share' },
  ctx: Transaction,
): Promise<void> {
  if (tables.length === 0) {
    return;
  }

  const lock = `lock table ${tables.map(table => `only ${quoteTable(schemaName, table)}`).join(', ')} in ${mode} mode`;

  try {
    await (mode === 'share' ? database.execute(`set local lock_timeout to ${WRITERS_TIMEOUT_MS}`, [], ctx) : undefined);
    await database.execute(made(lock), [], ctx);
    await (mode === 'share' ? database.execute('set local lock_timeout to default', [], ctx) : undefined);
  } catch (error) {
    // one of them has been dropped or renamed since, or is being written to
    throw hasSqlState(error, UNDEFINED_TABLE) || (mode === 'share' && (isLockTimeout(error) || isDeadlock(error))) ? CHANGED : error;
  }
}

async function tablesOf(database: TenantDatabase, schemaName: string, ctx: Transaction | undefined): Promise<string[]> {
  const rows = await database.execute<{ name: string }>(
    `select c.relname as name from pg_depend d join pg_class c on c.oid = d.objid join pg_namespace n on n.oid = d.refobjid
      where d.refclassid = 'pg_namespace'::regclass and d.classid = 'pg_class'::regclass and n.nspname = ? and c.relkind in ('r', 'p') order by 1`,
    [schemaName],
    ctx,
  );

  return rows.map(({ name }) => name);
}

const CHANGED = new Error('changed meanwhile');

const UNDEFINED_TABLE = ['42P01', '3F000'] as const;

const ATTEMPTS = 50;

/** Shorter than PostgreSQL waits before it looks for a deadlock, so that no writer is chosen to fail. */
const WRITERS_TIMEOUT_MS = 500;
