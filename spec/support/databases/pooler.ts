import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { findProgram, PGBOUNCER } from './debian.ts';
import { freePort } from '../web/free-port.ts';
import { until } from '../assertions/until.ts';

/**
 * PgBouncer, in transaction mode where nothing else is said, in front of the run's server, with ONE server connection for each database: whatever is left on that
 * one, the next transaction of anybody finds.
 */
export interface Pooler {
  /** The URL of one of the server's databases, through the pooler. */
  urlOf(database: string): string;
  /** How many clients of the database have not said goodbye. */
  clientsOf(database: string): Promise<number>;
}

/** What has to be done where there is none; undefined where there is one, which may be installed for it. */
export function poolerRemedy(): string | undefined {
  return findProgram(PGBOUNCER) === undefined ? REMEDY : undefined;
}

/** How long a client keeps a server connection. */
export type PoolMode = 'transaction' | 'statement';

/** The pooler of the run, which the first who asks starts. */
export async function openPooler(mode: PoolMode = 'transaction'): Promise<Pooler> {
  const started = running.get(mode) ?? start(mode);
  running.set(mode, started);

  return (await started).pooler;
}

/** Stops them, where they were started. */
export async function stopPooler(): Promise<void> {
  const all = [...running.values()];
  running.clear();

  for (const each of all) {
    const started = await each.catch(() => undefined);
    await started?.stop();
  }
}

interface RunningPooler {
  readonly pooler: Pooler;
  stop(): Promise<void>;
}

async function start(mode: PoolMode): Promise<RunningPooler> {
  const executable = findProgram(PGBOUNCER);

  if (executable === undefined) {
    throw new Error(REMEDY);
  }

  const folder = await mkdtemp(join(tmpdir(), 'landlord-pooler-'));
  const port = await freePort();
  const password = randomBytes(16).toString('hex');
  await writeConfig(folder, { port, password, mode });
  // PgBouncer refuses to run as root
  const child = spawn(executable, [join(folder, 'pgbouncer.ini')], { stdio: 'ignore', ...(isRoot() ? NOBODY : {}) });
  const kill = (): void => void child.kill('SIGKILL');
  // also where the run is cut short
  process.on('exit', kill);
  const urlOf = (database: string): string => `postgres://${CLIENT}:${password}@127.0.0.1:${port}/${database}`;
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };

  try {
    await until('PgBouncer answers', async () => {
      if (child.exitCode !== null) {
        throw new Error(`PgBouncer ended: ${await readFile(join(folder, 'log'), 'utf8').catch(String)}`);
      }

      return ask(urlOf(CONSOLE), 'show version').then(
        () => true,
        () => false,
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }

  const clientsOf = async (database: string): Promise<number> =>
    (await ask(urlOf(CONSOLE), 'show clients')).filter(client => client['database'] === database).length;

  return { pooler: { urlOf, clientsOf }, stop };
}

async function writeConfig(
  folder: string,
  { port, password, mode }: { readonly port: number; readonly password: string; readonly mode: PoolMode },
): Promise<void> {
  const server = new URL(process.env['DATABASE_URL'] ?? '');
  const target = {
    host: decodeURIComponent(server.hostname),
    port: server.port === '' ? '5432' : server.port,
    user: decodeURIComponent(server.username),
    password: decodeURIComponent(server.password),
  };
  const files = {
    'pgbouncer.ini': [
      '[databases]',
      `* = ${Object.entries(target)
        .map(([name, value]) => `${name}='${value.replaceAll("'", "''")}'`)
        .join(' ')}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      `logfile = ${join(folder, 'log')}`,
      'auth_type = scram-sha-256',
      `auth_file = ${join(folder, 'users')}`,
      `admin_users = ${CLIENT}`,
      `pool_mode = ${mode}`,
      'default_pool_size = 1',
      'max_client_conn = 500',
      // a spec that needs a second connection while it has the first is told so, and does not wait for ever
      'query_wait_timeout = 10',
      '',
    ],
    users: [`"${CLIENT}" "${password}"`, ''],
  };

  for (const [name, lines] of Object.entries(files)) {
    await writeFile(join(folder, name), lines.join('\n'), { mode: 0o600 });
  }

  if (isRoot()) {
    for (const path of [folder, ...Object.keys(files).map(name => join(folder, name))]) {
      await chown(path, NOBODY.uid, NOBODY.gid);
    }
  }
}

/** Asks PgBouncer itself. */
async function ask(url: string, command: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });

  try {
    await client.connect();

    return (await client.query(command)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    // at once; it waits for nobody
    child.kill('SIGTERM');
    await ended;
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

const running = new Map<PoolMode, Promise<RunningPooler>>();

const REMEDY =
  'These specs need PgBouncer, and there is none. Install it (`apt-get install pgbouncer`), or set PGBOUNCER_PATH to one; ' +
  'on Debian, root needs to do neither: the specs install it.';

const CLIENT = 'landlord_spec';

/** The database that PgBouncer answers for itself in. */
const CONSOLE = 'pgbouncer';

const NOBODY = { uid: 65_534, gid: 65_534 } as const;
