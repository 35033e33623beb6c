import { namesOfPath, searchPathOf } from '../../postgres/schema-name.js';
import type { DatabaseConnection } from '../statements/kysely-types.js';
import { processIdOf } from '../pool/server-status.js';
import { pathFrom, queryOf } from '../statements/settings-sql.js';

/**
 * Appends to the path of a connection the schemas that it lacks. Operators, and names inside of literals, are looked up there, also those of
 * the SQL for entities. What the connection has found before is still found first.
 *
 * A connection that others may use too is left as it is, because they would find the path. Such is one of a pooler, and one of which that is
 * not known.
 */
export async function extendSession(connection: DatabaseConnection, { schemas, isShared, log }: ExtendOptions): Promise<SessionPath> {
  if (schemas.length === 0) {
    return { lacking: [], known: undefined };
  }

  const [row] = (await connection.executeQuery(queryOf(READ, []))).rows;
  log(READ);
  const path = String(row?.['path']);
  const missing = missingIn(path, schemas);

  if (missing.length === 0) {
    return { lacking: [], known: path };
  }

  // a pooler tells a number of its own
  if (isShared && processIdOf(connection) !== row?.['pid']) {
    return { lacking: missing, known: path };
  }

  const extended = [...(path === '' ? [] : [path]), searchPathOf(...missing)].join(', ');
  await connection.executeQuery(queryOf(SET, [extended]));
  log(SET.replace('$1', `'${extended}'`));

  return { lacking: [], known: extended };
}

/** What the transaction of a connection that lacks schemas has to have for its path; undefined where that has them. */
export function extendedPath(path: string, schemas: readonly string[]): string | undefined {
  const missing = missingIn(path, schemas);

  return missing.length === 0 ? undefined : `${pathFrom(path)}, ${searchPathOf(...missing)}`;
}

/** The schemas that are not on a path, as PostgreSQL tells it. */
function missingIn(path: string, schemas: readonly string[]): string[] {
  const names = namesOfPath(path);

  return schemas.filter(schema => !names.includes(schema));
}

const READ = `select pg_catalog.current_setting('search_path') as path, pg_catalog.pg_backend_pid() as pid`;

const SET = `select pg_catalog.set_config('search_path', $1, false)`;

/** The path of a connection's session. */
export interface SessionPath {
  /** The schemas of `searchPath` that are not on it. */
  readonly lacking: readonly string[];
  /** What it was when it was last known. Somebody else may have set another one since. */
  known: string | undefined;
}

export interface ExtendOptions {
  readonly schemas: readonly string[];
  /** Whether somebody else may have the connection. */
  readonly isShared: boolean;
  readonly log: (sql: string) => void;
}
