import type { WrappedOrm } from '../../scope/wrapped-orm.js';

/**
 * Whether a pooler between the ORM and PostgreSQL may run each transaction on a different server connection. False if there is no `pg` pool to
 * check: on PGlite, and with a Kysely dialect of the user's own.
 */
export async function isBehindPooler({ orm }: { readonly orm: WrappedOrm }): Promise<boolean> {
  const pool = await nativeClientOf(orm);

  return isPool(pool) && isPoolOfPooler(pool);
}

/** Whether the connections are those of a pool of `pg`. */
export async function hasPool({ orm }: { readonly orm: WrappedOrm }): Promise<boolean> {
  return isPool(await nativeClientOf(orm));
}

/** Whether each connection is known to be one session of the server: its session's locks are then its own. */
export async function keepsSession({ orm }: { readonly orm: WrappedOrm }): Promise<boolean> {
  const pool = await nativeClientOf(orm);

  return isPool(pool) && !(await isPoolOfPooler(pool));
}

async function isPoolOfPooler(pool: ClientPool): Promise<boolean> {
  const client = await pool.connect();
  let failure: unknown;

  try {
    return await isPooled(client);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    client.release(failure !== undefined);
  }
}

/** The `pg` pool or the PGlite of an ORM. Undefined with a Kysely dialect of the user's own. Rejects if the database cannot be reached. */
export async function nativeClientOf({ em }: Pick<WrappedOrm, 'em'>): Promise<unknown> {
  const connection = em.getDriver().getConnection('write');
  // it fails of its own, so that a database that is not up yet is not taken for a dialect without a client
  await connection.ensureConnection();

  return connection.getNativeClient().catch(() => undefined);
}

/**
 * Whether the server process that answers is a different one than the client was told. Relies on the process ID that PostgreSQL sends when a
 * connection starts, which `pg` stores as `processID`. PgBouncer sends a number of its own instead. It does so in session mode too, and a client
 * cannot distinguish the modes.
 */
export async function isPooled(client: PgClient): Promise<boolean> {
  const { rows } = await client.query('select pg_backend_pid() as pid');

  return typeof client.processID === 'number' && client.processID !== rows[0]?.['pid'];
}

function isPool(client: unknown): client is ClientPool {
  return typeof (client as Partial<ClientPool> | undefined)?.connect === 'function';
}

/** The parts of a `pg` client that are used here. */
export interface PgClient {
  readonly processID?: number | null;
  query(sql: string): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
}

interface ClientPool {
  connect(): Promise<PgClient & { release(destroy: boolean): void }>;
}
