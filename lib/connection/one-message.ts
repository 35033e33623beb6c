import type { SqlGuard } from './guarded-transaction.js';
import { KEEP, type RequiredSettings } from './required-settings.js';
import type { Around, DatabaseConnection, Query, QueryResult } from './kysely-types.js';
import type { SessionPath } from './search-path.js';
import { takesScripts, MARKS, WANTS_FIRST, WANTS_ROWS } from './server-status.js';
import { aroundQuiet, aroundRaw, settingsIn } from './settings-sql.js';
import { isOneOfRows, isSingle } from './statement-kinds.js';

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

/** The message with what is sent around it. */
export function withSettings(query: Query): Query {
  const { around, sql } = query;

  if (around === undefined) {
    return query;
  }

  const { before, after, place } = around;
  const isMarked = sql.endsWith(WANTS_FIRST);
  const statement = isMarked ? sql.slice(0, -WANTS_FIRST.length) : sql;
  const endsAt = before.length + '; '.length + (query.endsAt ?? sql.length);

  // a comment may go to the end of the line
  return after === undefined
    ? { ...query, sql: `${before}; ${statement}${isMarked ? '' : '\n'}${WANTS_FIRST}`, endsAt }
    : { ...query, sql: `${before}; ${statement}\n; ${after}${MARKS[place]}`, endsAt };
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

/** Has the error say at which character of the statement it was, not of the message. */
export function placeInStatement(error: unknown, { before }: Around): unknown {
  const { position } = (error ?? {}) as { readonly position?: unknown };
  const place = Number(position) - Array.from(before).length - '; '.length;

  return place > 0 ? Object.assign(error as object, { position: String(place) }) : error;
}
