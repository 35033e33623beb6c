import type { TenantRules } from '../scope/tenant-rules.js';

/**
 * Whether a pooler stands between the ORM and PostgreSQL and may give each transaction another of the server's connections. False where
 * there is no pool of `pg` to ask: PGlite, and a Kysely of the user's own.
 */
export async function isBehindPooler({ orm }: Pick<TenantRules, 'orm'>): Promise<boolean> {
  const pool = await orm.em
    .getConnection('write')
    .getNativeClient()
    .catch(() => undefined);

  if (!isPool(pool)) {
    return false;
  }

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

/**
 * Whether the process that answers is not the one that the connection was told it has. Relies on what PostgreSQL sends when a connection
 * begins, which `pg` keeps as `processID`; PgBouncer sends a number of its own, in its session mode too, which cannot be told from outside.
 */
export async function isPooled(client: PgClient): Promise<boolean> {
  const { rows } = await client.query('select pg_backend_pid() as pid');

  return typeof client.processID === 'number' && client.processID !== rows[0]?.['pid'];
}

function isPool(client: unknown): client is ClientPool {
  return typeof (client as Partial<ClientPool> | undefined)?.connect === 'function';
}

/** What is used of a client of `pg`. */
export interface PgClient {
  readonly processID?: number | null;
  query(sql: string): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
}

interface ClientPool {
  connect(): Promise<PgClient & { release(destroy: boolean): void }>;
}
