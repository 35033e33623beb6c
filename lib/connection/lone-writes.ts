import type { TenantIdentity } from '../scope/tenant-identity.js';
import { assertSchemasSql } from './schema-check-sql.js';
import type { DatabaseConnection, Query } from './kysely-types.js';
import { quoteIdentifier } from '../postgres/schema-name.js';
import { takesScripts, WANTS_FIRST } from './server-status.js';
import { isSingle } from './statement-kinds.js';

/** Whether a statement outside of a transaction can be sent in one message with its role, which lasts no longer than the message. */
export function takesRole(connection: DatabaseConnection, { sql, parameters }: Query): boolean {
  // what is marked for the connection begins with its mark
  return parameters.length === 0 && !sql.startsWith('/*') && isSingle(sql) && takesScripts(connection);
}

/** The message with the role that it is to be run as. */
export function withRole(query: Query): Query {
  const { role, sql } = query;

  return role === undefined
    ? query
    : { ...query, sql: `${setRoleSql(role)}; ${sql}${sql.endsWith(WANTS_FIRST) ? '' : `\n${WANTS_FIRST}`}` };
}

export function setRoleSql(role: string): string {
  return `set local role ${quoteIdentifier(role)}`;
}

/**
 * The message that a statement which writes outside of a transaction is sent as, together with the check of its tenant. PostgreSQL runs the
 * statements of one message in one transaction, and commits it after the last: where the check fails, nothing is written. Undefined where that
 * cannot be: for a message of several statements, which may end the transaction themselves, and for one with parameters, which is one statement.
 */
export function withCheck(connection: DatabaseConnection, query: Query, identity: TenantIdentity): Query | undefined {
  const { sql, parameters } = query;

  // one that had no schema has nothing to be held to
  return identity.schemaOid !== undefined && parameters.length === 0 && isSingle(sql) && takesScripts(connection)
    ? // a comment may go to the end of the line
      { ...query, sql: `${sql}\n; ${assertSchemasSql([identity])}${WANTS_FIRST}` }
    : undefined;
}
