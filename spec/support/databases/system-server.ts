import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { until } from '../assertions/until.ts';
import { freePort } from '../web/free-port.ts';
import { findProgram, POSTGRESQL } from './debian.ts';

/** A PostgreSQL of the system, in a folder of its own, with its client programs: those of npm come without. */
export interface SystemServer {
  readonly url: string;
  /** The folder of `pg_dump`, `pg_restore` and `psql`. */
  readonly programs: string;
  remove(): Promise<void>;
}

/** What has to be done where there is none. */
export function systemServerRemedy(): string | undefined {
  return findProgram(POSTGRESQL) === undefined ? REMEDY : undefined;
}

export async function startSystemServer(): Promise<SystemServer> {
  const executable = findProgram(POSTGRESQL);

  if (executable === undefined) {
    throw new Error(REMEDY);
  }

  const programs = dirname(executable);
  const folder = await mkdtemp(join(tmpdir(), 'landlord-system-'));
  const port = await freePort();
  // PostgreSQL refuses to run as root
  const user: { readonly uid?: number; readonly gid?: number } = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

  if (user.uid !== undefined && user.gid !== undefined) {
    await chown(folder, user.uid, user.gid);
  }

  const data = join(folder, 'data');
  await promisify(execFile)(join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '--no-sync', '--encoding=UTF8', '--locale=C'], user);
  const settings = ['fsync=off', 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
  const child = spawn(executable, ['-D', data, '-p', String(port), ...settings.flatMap(each => ['-c', each])], {
    ...user,
    stdio: 'ignore',
  });
  const kill = (): void => void child.kill('SIGQUIT');
  process.on('exit', kill);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await until('the server answers', () => answers(url));

  return {
    url,
    programs,
    remove: async () => {
      process.off('exit', kill);
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });

  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  );
}

const REMEDY =
  'These specs need PostgreSQL with its client programs, and there is none. Install it (`apt-get install postgresql`), or set POSTGRESQL_PATH ' +
  'to its `postgres`; on Debian, root needs to do neither: the specs install it.';
