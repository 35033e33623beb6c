import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from './tenant-database.js';

/**
 * Takes the tenant's lock for the rest of the transaction, and waits until it is free. Migration runs do not wait here but try again later: a
 * waiting statement holds a snapshot, and `create index concurrently` in another run would wait for that snapshot, so the two would deadlock.
 */
export async function lockTenant(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  await database.execute(`select pg_advisory_xact_lock(${LOCK_KEY})`, [schemaName], ctx);
}

/** The same as a statement without parameters, to be sent with others. */
export function lockTenantText(database: TenantDatabase, schemaName: string): string {
  return database.orm.em.getPlatform().formatQuery(`select pg_advisory_xact_lock(${LOCK_KEY})`, [schemaName]);
}

/** Tries to take the tenant's lock for the session, for work that spans several transactions. */
export async function tryLockForSession(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<boolean> {
  try {
    const [row] = await database.execute<{ locked: boolean }>(`select pg_try_advisory_lock(${LOCK_KEY}) as locked`, [schemaName], ctx);

    return row?.locked === true;
  } catch (error) {
    // a statement that fails late has taken the lock all the same, and no rollback releases it
    await database.closeAfterUse(ctx);
    throw error;
  }
}

/** Never fails: the end of the session releases the lock too. */
export async function unlockForSession(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  try {
    await database.execute(`select pg_advisory_unlock(${LOCK_KEY})`, [schemaName], ctx);
  } catch {
    await database.closeAfterUse(ctx);
  }
}

/** Takes the tenant's lock for the rest of the transaction, if nobody has it. */
export async function tryLockTenant(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<boolean> {
  const [row] = await database.execute<{ locked: boolean }>(`select pg_try_advisory_xact_lock(${LOCK_KEY}) as locked`, [schemaName], ctx);

  return row?.locked === true;
}

/** The schemas of which somebody has the tenant's lock: they are migrated, renamed, copied or dropped at the moment. */
export async function findLocked(database: TenantDatabase): Promise<ReadonlySet<string>> {
  const rows = await database.execute<{ name: string }>(
    `select n.nspname::text as name from pg_locks l
      join pg_namespace n on hashtextextended('landlord:' || n.nspname, 0) = ((l.classid::bigint << 32) | l.objid::bigint)
      where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.database = (select oid from pg_database where datname = current_database())`,
    [],
    undefined,
  );

  return new Set(rows.map(({ name }) => name));
}

/** PostgreSQL keeps advisory locks per database. Within a database, the schema name is the key. */
export const LOCK_KEY = `hashtextextended('landlord:' || ?, 0)`;
