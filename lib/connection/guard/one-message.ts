import type { SqlGuard } from './guarded-transaction.js';
import { KEEP, type RequiredSettings } from '../statements/required-settings.js';
import type { Around, DatabaseConnection, Query, QueryResult } from '../statements/kysely-types.js';
import type { SessionPath } from './search-path.js';
import { placeInStatement } from '../pool/message-around.js';
import { takesScripts, WANTS_ROWS } from '../pool/server-status.js';
import { aroundQuiet, aroundRaw, settingsIn } from '../statements/settings-sql.js';
import { isOneOfRows, isSingle } from '../statements/statement-kinds.js';

/**
 * Sends a statement outside of a transaction in one message with what it has to be run with. PostgreSQL runs the statements of one message in one
 * transaction, so what is set for that lasts no longer than the message. Undefined where it needs more than one message, and where the role may have
 * been refused: nothing of the message is done then, and which part failed is seen when each is sent alone.
 */
export async function sendInOneMessage(
  connection: DatabaseConnection,
  query: Query,
  required: RequiredSettings,
  { guard, session }: { readonly guard: Pick<SqlGuard, 'explain' | 'log'>; readonly session: SessionPath },
): Promise<QueryResult | undefined> {
  const around = takesSettings(connection, query) ? aroundOf(query, required, session) : undefined;

  if (around === undefined) {
    return undefined;
  }

  try {
    const { before, ...result } = await connection.executeQuery({ ...query, around });
    session.known = before?.[0] === undefined ? session.known : settingsIn(before).path;
    logAround(guard, around);

    return result;
  } catch (error) {
    const { role } = required;

    if (typeof role === 'string' && guard.explain(error, role) !== error) {
      return undefined;
    }

    throw placeInStatement(error, around);
  }
}

/** Logs what was sent around a statement; MikroORM logs the statement. */
export function logAround(guard: Pick<SqlGuard, 'log'>, { before, after }: Around): void {
  guard.log(before);

  if (after !== undefined) {
    guard.log(after);
  }
}

/** Whether raw SQL can be sent in one message with what it is run with. */
export function takesRaw(connection: DatabaseConnection, query: Query): boolean {
  return takesSettings(connection, query) && isOneOfRows(query.sql);
}

function aroundOf({ sql }: Query, { kind, path, role }: RequiredSettings, { known }: SessionPath): Around | undefined {
  if (role === KEEP) {
    return undefined;
  }

  if (kind === 'raw' && path !== undefined) {
    return isOneOfRows(sql) ? aroundRaw(path, role, { tells: known === undefined }) : undefined;
  }

  // what is quiet sets nothing itself
  return kind === 'quiet' && path === undefined && role !== undefined ? aroundQuiet(role) : undefined;
}

/** Whether other statements can stand around it in a message. */
function takesSettings(connection: DatabaseConnection, { sql, parameters }: Query): boolean {
  // what is marked for the connection begins with its mark
  return parameters.length === 0 && !sql.startsWith(WANTS_ROWS) && isSingle(sql) && takesScripts(connection);
}
