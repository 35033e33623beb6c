import { randomUUID } from 'node:crypto';
/**
 * What the server last said of the transaction on a connection: whether one is open, be it a failed one. Undefined where it is not known:
 * that is of `pg` alone, from the version on whose clients have `getTransactionStatus()`.
 */
export function hasOpenTransaction(connection: object): boolean | undefined {
  return isOpenOn(clientOf(connection));
}

/** The same of a client. */
export function isOpenOn(client: StatusClient | undefined): boolean | undefined {
  const status = client?.getTransactionStatus?.();

  return status === 'I' ? false : status === 'T' || status === 'E' ? true : undefined;
}

/** The client of `pg` behind a connection. Undefined where there is none. */
export function clientOf(connection: object): StatusClient | undefined {
  return clients.get(realOf(connection));
}

/** The server process that the client was told of when it connected. Undefined where there is no client of `pg`. */
export function processIdOf(connection: object): number | null | undefined {
  return clients.get(realOf(connection))?.processID;
}

/**
 * Sends a message of several statements that is marked with `WANTS_ROWS`, of which the rows of the last `select` are wanted: Kysely answers several
 * statements with no rows. Undefined if the message is not marked, or if the client is not one of `pg`; the message is then not sent.
 */
export function rowsOfScript<Row>(connection: object, sql: string): Promise<{ rows: Row[] }> | undefined {
  const client = sql.startsWith(WANTS_ROWS) ? clients.get(realOf(connection)) : undefined;

  return client?.query?.(sql).then(result => {
    const results = [result].flat();

    return { rows: [...(results.findLast(({ command }) => command === 'SELECT')?.rows ?? [])] as Row[] };
  });
}

/**
 * Sends a message of several statements that ends with a mark, of which the result of the first, second or third that is no `set` is wanted, as Kysely
 * gives it of one alone. With the third comes what the first has read.
 * Undefined where `rowsOfScript` is.
 */
export function wantedOfScript<Row>(connection: object, sql: string): Promise<WantedResult<Row>> | undefined {
  const place = MARKS.findIndex(mark => sql.endsWith(mark));
  const client = place === -1 ? undefined : clients.get(realOf(connection));

  return client?.query?.(sql).then(
    result => {
      const results = isSeveral(result) ? result.filter(({ command }) => command !== 'SET') : [];
      const wanted = isSeveral(result) ? results[place] : result;
      const rows = (wanted?.rows ?? []) as Row[];

      return {
        rows,
        ...(wanted !== undefined && CHANGING.has(wanted.command) ? { numAffectedRows: BigInt(wanted.rowCount ?? 0) } : {}),
        ...(place === 2 ? { before: (results[0]?.rows ?? []) as Row[] } : {}),
      };
    },
    (error: unknown) => {
      throw withCallers(error);
    },
  );
}

/** Adds to an error's stack who waits for the statement, as Kysely does where it sends it. `pg` says nothing of them once its clients are instrumented. */
function withCallers(error: unknown): unknown {
  const here: { stack?: string } = {};
  // without this function, as ten places are told by default
  Error.captureStackTrace(here, withCallers);

  if (error instanceof Error && error.stack !== undefined && here.stack !== undefined) {
    error.stack += here.stack.slice(here.stack.indexOf('\n'));
  }

  return error;
}

interface WantedResult<Row> {
  readonly numAffectedRows?: bigint;
  readonly rows: Row[];
  readonly before?: Row[];
}

/** Whether messages on the connection can be sent by `wantedOfScript`. */
export function takesScripts(connection: object): boolean {
  return clients.get(realOf(connection))?.query !== undefined;
}

/** End a message for `wantedOfScript`. To PostgreSQL they are comments, and nobody else's SQL ends with one. */
export const MARKS = [mark('first'), mark('second'), mark('third')] as const;

export const [WANTS_FIRST] = MARKS;

function mark(word: string): string {
  return ` /* ${word} ${randomUUID()} */`;
}

function isSeveral(result: StatementResult | readonly StatementResult[]): result is readonly StatementResult[] {
  return Array.isArray(result);
}

const CHANGING: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** Begins a message for `rowsOfScript`. To PostgreSQL it is a comment, and nobody else's SQL begins with it. */
export const WANTS_ROWS = `/* rows ${randomUUID()} */ `;

/**
 * Sent on a connection, it has that closed when it is given back, without a word to the server. A client that is none of `pg`, or that is not ours,
 * has its server end the session.
 */
export const CLOSE_AFTER_USE = `/* close ${randomUUID()} */ select pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())`;

/** Says which client is behind a connection of Kysely's. */
export function setClient(connection: object, client: StatusClient): void {
  clients.set(connection, client);
}

/** Has the connection closed when it is given back, as nobody may get it again. A connection without a pool stays as it is. */
export function closeAfterUse(connection: object): void {
  unusable.add(realOf(connection));
}

export function isToBeClosed(connection: object): boolean {
  return unusable.has(realOf(connection));
}

/** Says that one connection sends on another. What is said of the one is said of the other. */
export function sendOn(connection: object, real: object): void {
  reals.set(connection, real);
}

function realOf(connection: object): object {
  return reals.get(connection) ?? connection;
}

const reals = new WeakMap<object, object>();

const clients = new WeakMap<object, StatusClient>();

const unusable = new WeakSet<object>();

/** What is used of a client of `pg`. */
export interface StatusClient {
  readonly processID?: number | null;
  getTransactionStatus?(): string | null;
  query?(sql: string): Promise<StatementResult | readonly StatementResult[]>;
}

interface StatementResult {
  readonly command: string;
  readonly rowCount?: number | null;
  readonly rows: readonly unknown[];
}
