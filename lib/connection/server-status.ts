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
 * Sends a message of several statements that ends with `WANTS_FIRST`, of which the result of the first that is no `set` is wanted, as Kysely gives it
 * of one alone.
 * Undefined where `rowsOfScript` is.
 */
export function firstOfScript<Row>(connection: object, sql: string): Promise<{ numAffectedRows?: bigint; rows: Row[] }> | undefined {
  const client = sql.endsWith(WANTS_FIRST) ? clients.get(realOf(connection)) : undefined;

  return client?.query?.(sql).then(result => {
    // a role that is set comes before it
    const first = isSeveral(result) ? result.find(({ command }) => command !== 'SET') : result;
    const rows = (first?.rows ?? []) as Row[];

    return first !== undefined && CHANGING.has(first.command) ? { numAffectedRows: BigInt(first.rowCount ?? 0), rows } : { rows };
  });
}

/** Whether messages on the connection can be sent by `firstOfScript`. */
export function takesScripts(connection: object): boolean {
  return clients.get(realOf(connection))?.query !== undefined;
}

/** Ends a message for `firstOfScript`. To PostgreSQL it is a comment, and nobody else's SQL ends with it. */
export const WANTS_FIRST = ` /* first ${randomUUID()} */`;

function isSeveral(result: StatementResult | readonly StatementResult[]): result is readonly StatementResult[] {
  return Array.isArray(result);
}

const CHANGING: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** Begins a message for `rowsOfScript`. To PostgreSQL it is a comment, and nobody else's SQL begins with it. */
export const WANTS_ROWS = `/* rows ${randomUUID()} */ `;

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
