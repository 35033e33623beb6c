/**
 * What the server last said of the transaction on a connection: whether one is open, be it a failed one. Undefined where it is not known:
 * that is of `pg` alone, from the version on whose clients have `getTransactionStatus()`.
 */
export function hasOpenTransaction(connection: object): boolean | undefined {
  const status = clients.get(realOf(connection))?.getTransactionStatus?.();

  return status === 'I' ? false : status === 'T' || status === 'E' ? true : undefined;
}

/** The server process that the client was told of when it connected. Undefined where there is no client of `pg`. */
export function processIdOf(connection: object): number | null | undefined {
  return clients.get(realOf(connection))?.processID;
}

/** Says which client is behind a connection of Kysely's. */
export function setClient(connection: object, client: StatusClient): void {
  clients.set(connection, client);
}

/** Has the connection closed when it is given back, as nobody may get it again. A connection without a pool stays as it is. */
export function closeAfterUse(connection: object): void {
  unusable.add(realOf(connection));
}

export function isToBeClosed(connection: object): boolean {
  return unusable.has(connection);
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
}
