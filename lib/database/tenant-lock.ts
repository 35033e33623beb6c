import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from './tenant-database.js';

/**
 * Takes the tenant's lock for the rest of the transaction, and waits for whoever has it. A run does not wait but comes back later: a
 * statement that waits holds a snapshot, and `create index concurrently` of the other run would wait for that in turn.
 */
export async function lockTenant(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  await database.execute(`select pg_advisory_xact_lock(${LOCK_KEY})`, [schemaName], ctx);
}

/** Tries to take the tenant's lock for the session, for what is more than one transaction. */
export async function tryLockForSession(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<boolean> {
  const [row] = await database.execute<{ locked: boolean }>(`select pg_try_advisory_lock(${LOCK_KEY}) as locked`, [schemaName], ctx);

  return row?.locked === true;
}

export async function unlockForSession(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  await database.execute(`select pg_advisory_unlock(${LOCK_KEY})`, [schemaName], ctx);
}

/** Advisory locks are per database; within it, the schema's name is the key. */
export const LOCK_KEY = `hashtextextended('landlord:' || ?, 0)`;
