import { TenantChangedError } from '../../errors/index.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import type { Moment } from '../../scope/tenant-identities.js';
import type { TenantIdentity } from '../../scope/tenant-identity.js';
import type { DatabaseConnection, Query, QueryResult } from '../statements/kysely-types.js';
import { assertSchemasSql, CHANGED, NOT_THERE } from './schema-check-sql.js';
import { takesScripts, WANTS_FIRST } from '../pool/server-status.js';
import { isSingle, mayChangeMark } from '../statements/statement-kinds.js';
import type { TenantCheck } from './tenant-check.js';

/**
 * Sends a statement that writes outside of a transaction in one message with the check of its tenant. PostgreSQL runs the statements of one message in
 * one transaction, and commits it after the last: where the check fails, nothing is written. If the tenant had lost its name for a moment and has it
 * again, the message is sent again. Undefined where that cannot be: for a message of several statements, which may end the transaction themselves, and
 * for one with parameters, which is one statement.
 */
export function sendWithCheck(
  connection: DatabaseConnection,
  identity: TenantIdentity,
  query: Query,
  writing: Writing,
): Promise<QueryResult> | undefined {
  const { sql, parameters } = query;

  // one that had no schema has nothing to be held to
  return identity.schemaOid !== undefined && parameters.length === 0 && isSingle(sql) && takesScripts(connection)
    ? sendChecked(identity, query, writing, ATTEMPTS)
    : undefined;
}

function sendChecked(identity: TenantIdentity, query: Query, writing: Writing, attempts: number): Promise<QueryResult> {
  const { check, hasLostName, run } = writing;
  const { sql } = query;
  const before = check.latest(identity);
  const held = assertSchemasSql([{ identity, mark: mayChangeMark(sql) ? undefined : before?.mark }]);

  // a comment may go to the end of the line
  return run({ ...query, sql: `${sql}\n; ${held}${WANTS_FIRST}`, endsAt: sql.length }).catch(async (error: unknown) => {
    // where it had its name throughout, this is of the statement itself
    if (!hasSqlState(error, [...CHANGED, ...NOT_THERE]) || !(await hasLostName(identity, before, error))) {
      throw error;
    }

    if (attempts === 1) {
      throw new TenantChangedError(identity.schemaName, { cause: error });
    }

    return sendChecked(identity, query, writing, attempts - 1);
  });
}

/** How often it is sent at most. */
const ATTEMPTS = 2;

/** What a connection writes with. */
export interface Writing {
  readonly check: Pick<TenantCheck, 'latest'>;
  /** Whether the tenant had lost its name since then, and has it again. Throws if it is another one's now. */
  readonly hasLostName: (identity: TenantIdentity, before: Moment | undefined, cause: unknown) => Promise<boolean>;
  readonly run: (query: Query) => Promise<QueryResult>;
}
