import { randomBytes } from 'node:crypto';
import { TestDatabaseError } from '../errors/testing-errors.js';
import { TenantError } from '../errors/index.js';
import { isPglite } from '../tenant/is-pglite.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { connect, urlOf, type Admin } from './database/admin.js';
import { findPgliteTemplate, keepPgliteTemplate, openPglite } from './database/pglite-database.js';
import { startTestServer, type TestServer } from './database/server.js';
import { createWorkerDatabase, dropDatabase, ensureTemplate, putBack, takeLeftover } from './database/template.js';
import { projectHash, templateHash } from './database/template-hash.js';
import type { MovedOrm } from './moved-orm.js';
import { pgliteWire, pinPglite, type Pglite } from './transaction/pinned-pglite.js';
import { pgWire, type Pool } from './transaction/pinned-pool.js';
import type { TestTransaction } from './transaction/test-transaction.js';
import type { Wire } from './transaction/wire.js';

/** The database of one worker: made from the template, connected to by the application's ORM, and made anew where a test has committed. */
export interface WorkerDatabase {
  /** Undefined on PGlite. */
  readonly url: string | undefined;
  /** The connection for the transactions of tests. */
  wire(): Promise<Wire & { close(isBroken: boolean): void }>;
  renew(): Promise<void>;
  /** Says that something is committed in it. */
  change(): void;
  close(): Promise<void>;
}

/** @throws TestDatabaseError `TEST_SERVER` or `TEST_TEMPLATE` */
export async function openWorkerDatabase(options: WorkerOptions): Promise<WorkerDatabase> {
  return isPglite(options.database.orm.config.getPlatform()) ? openInProcess(options) : openOnServer(options);
}

async function openOnServer({ moved, database, url, key, migrate }: WorkerOptions): Promise<WorkerDatabase> {
  const server = await startTestServer({ url });
  const closers: (() => Promise<void>)[] = [() => server.close()];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) {
      await close();
    }
  };

  try {
    return await onServer({ moved, database, key, migrate, server, closers, closeAll });
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

async function onServer(options: ServerOptions): Promise<WorkerDatabase> {
  const { moved, database, key, migrate, server, closers, closeAll } = options;
  const admin = await connect(server.url);
  closers.push(() => admin.close());

  const prefix = `landlord_test_${projectHash()}_`;
  const template = `${prefix}t_${templateHash(database, key)}`;
  await ensureTemplate(admin, {
    server: server.url,
    prefix,
    name: template,
    migrate: async templateUrl => {
      try {
        await moved.to({ url: templateUrl });
        await migrateOrExplain(migrate);
      } finally {
        await moved.close();
      }
    },
  });

  const taken = await takeLeftover(admin, prefix, template);
  const name = taken ?? `${prefix}w_${process.pid}_${randomBytes(4).toString('hex')}`;
  const url = urlOf(server.url, name);
  let isChanged = false;
  closers.push(async () => {
    await moved.close();
    await (isChanged ? dropDatabase(admin, name) : putBack(admin, name, template));
  });

  if (taken === undefined) {
    await createWorkerDatabase(admin, { name, template, strategy: await strategyOf(admin) });
  }

  await moved.to({ url });

  return {
    url,
    wire: async () => {
      const wire = await pgWire(moved.pool as Pool);
      const [result] = [await wire.send({ sql: 'select current_database()::text as name' })].flat();

      // the application's config may have brought the ORM to another one, and nothing may be run there
      if (result?.rows[0]?.name !== name) {
        throw TestDatabaseError.wrongDatabase(name, result?.rows[0]?.name);
      }

      return wire;
    },
    renew: async () => {
      await moved.close();
      await dropDatabase(admin, name);
      await createWorkerDatabase(admin, { name, template, strategy: await strategyOf(admin) });
      await moved.to({ url });
      isChanged = false;
    },
    change: () => {
      isChanged = true;
    },
    close: closeAll,
  };
}

async function openInProcess({ moved, database, source, key, migrate }: WorkerOptions): Promise<WorkerDatabase> {
  const hash = templateHash(database, ['pglite', ...key]);
  let template = await findPgliteTemplate(hash);
  let pglite: Pglite | undefined;
  // those of the application's config
  let given: object = {};
  const renew = async (): Promise<void> => {
    await pglite?.close();
    pglite = await openPglite(given, template);
  };
  const close = async (): Promise<void> => {
    await moved.close();
    await pglite?.close();
    pglite = undefined;
  };
  await moved.to({
    pglite: async options => {
      given = options;
      await renew();

      return pinPglite(() => pglite as Pglite & object, source);
    },
  });

  if (template === undefined) {
    try {
      await migrateOrExplain(migrate);
      // opens it
      await database.execute('select 1', [], undefined);
      template = await keepPgliteTemplate(pglite as Pglite & object, hash);
    } catch (error) {
      await close();
      throw error;
    }
  }

  return {
    url: undefined,
    wire: async () => {
      await database.execute('select 1', [], undefined);

      return { ...pgliteWire(pglite as Pglite & object), close: () => undefined };
    },
    renew,
    change: () => undefined,
    close,
  };
}

/** Copying by the log makes no checkpoint, which is what takes the time on a server that others use. PostgreSQL has it from version 15 on. */
async function strategyOf(admin: Admin): Promise<'wal_log' | undefined> {
  const [row] = await admin.query<{ version: number }>(`select current_setting('server_version_num')::int as version`);

  return (row?.version ?? 0) >= 150_000 ? 'wal_log' : undefined;
}

async function migrateOrExplain(migrate: () => Promise<void>): Promise<void> {
  try {
    await migrate();
  } catch (error) {
    if (error instanceof TestDatabaseError) {
      throw error;
    }

    throw TestDatabaseError.notMigrated(error instanceof TenantError ? 'the tenant set' : 'the public set', error);
  }
}

interface WorkerOptions {
  readonly moved: MovedOrm;
  readonly database: TenantDatabase;
  readonly url: string | undefined;
  /** What the template depends on, other than migrations and entities. */
  readonly key: readonly unknown[];
  readonly source: () => TestTransaction | undefined;
  readonly migrate: () => Promise<void>;
}

interface ServerOptions extends Omit<WorkerOptions, 'url' | 'source'> {
  readonly server: TestServer;
  readonly closers: (() => Promise<void>)[];
  readonly closeAll: () => Promise<void>;
}
