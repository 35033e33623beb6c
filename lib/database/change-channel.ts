import { createHash } from 'node:crypto';

/**
 * The notification channel for changed tenants. Each tenants' table has a channel of its own, so that two applications in one database do
 * not receive each other's notices. The trigger in the user's migrations contains the name, so the name must never change.
 */
export function channelOf(publicSchema: string, tableName: string): string {
  const name = `landlord:${publicSchema}.${tableName}`;

  // PostgreSQL rejects longer channel names
  return Buffer.byteLength(name) <= MAX_BYTES ? name : `landlord:${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

/** The payload if it is not known which tenants changed. No schema can have this name. */
export const ALL_TENANTS = '*';

/** The prefix of a payload that reports no change. No schema name can begin with it. */
export const NONCE = '?';

/** Expressions that notify of changed tenants when the transaction commits. The parameters are the channel and the schema name of each tenant. */
export function notifySql(count: number): string {
  return Array.from({ length: count }, () => 'pg_notify(?, ?)').join(', ');
}

const MAX_BYTES = 63;
