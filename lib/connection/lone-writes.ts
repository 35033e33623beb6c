import type { TenantIdentity } from '../scope/tenant-identity.js';
import { assertSchemasSql } from './schema-check-sql.js';
import type { DatabaseConnection, Query } from './kysely-types.js';
import { takesScripts, WANTS_FIRST } from './server-status.js';
import { isSingle } from './statement-kinds.js';

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
