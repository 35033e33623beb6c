import { createHash } from 'node:crypto';

/**
 * The channel on which changed tenants are told: one for each table of tenants, so that two applications in one database do not hear
 * each other. It is part of the trigger in a user's migrations, so it never changes.
 */
export function channelOf(publicSchema: string, tableName: string): string {
  const name = `landlord:${publicSchema}.${tableName}`;

  // PostgreSQL refuses to notify on a longer one
  return Buffer.byteLength(name) <= MAX_BYTES ? name : `landlord:${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

/** What is told where it is not known which tenants have changed. No schema has this name. */
export const ALL_TENANTS = '*';

/** What a payload begins with that tells of no change. No schema name does. */
export const NONCE = '?';

/** Tells that tenants have changed, once the transaction that this is sent in is committed: for each, `channel` and its schema name. */
export function notifySql(count: number): string {
  return `select ${Array.from({ length: count }, () => 'pg_notify(?, ?)').join(', ')}`;
}

const MAX_BYTES = 63;
