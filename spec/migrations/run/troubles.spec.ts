import { setTimeout as sleep } from 'node:timers/promises';
import { type RunNotice, type RunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type { SpecDatabase } from '../../support/databases/database.ts';
import { databaseOfServer } from '../../support/databases/database-of-server.ts';
import { startEmbeddedServer, type EmbeddedServer } from '../../support/databases/embedded-server.ts';
import { schemasWith } from '../../support/databases/catalog.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { schemaNamesOf } from '../../support/assertions/run-result.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { until } from '../../support/assertions/until.ts';

const NAMES = Array.from({ length: 24 }, (_, n) => `t${String(n).padStart(2, '0')}`);
const SLOW = sqlMigration('M2', ['select pg_sleep(0.05)', 'alter table "tag" add column "colour" text']);

describe('a run beside a server in trouble', () => {
  let server: EmbeddedServer;
  let database: SpecDatabase;
  let set: TenantSet;
  const opened: (() => unknown)[] = [];

  before(async () => {
    server = await startEmbeddedServer();
    database = databaseOfServer(server.url, close => opened.unshift(close));
    set = await openTenantSet(database, { pool: { min: 0, max: 6 } });
  });

  beforeEach(() => set.create(...NAMES));

  afterEach(() => set.clear());

  after(async () => {
    for (const close of opened) {
      await close();
    }

    await server.remove();
  });

  for (const [kind, migration] of [
    ['that only queue SQL', SLOW],
    [
      'that read',
      migrationOf('M2', async each => {
        await each.execute('select pg_sleep(0.05)');
        each.addSql('alter table "tag" add column "colour" text');
      }),
    ],
  ] as const) {
    it(`M13 goes on after a restart of the server, with migrations ${kind}, and no tenant fails`, async () => {
      set.use(migration);
      const notices: RunNotice['kind'][] = [];
      const limits: number[] = [];
      let done = 0;
      const run = set.tenants.migrate({
        onNotice: notice => {
          notices.push(notice.kind);
          limits.push(...(notice.kind === 'waiting' ? [notice.timeoutMs] : []));
        },
        onProgress: () => {
          done += 1;
        },
      });
      await until('some are done', () => done > 2);
      await server.stop();
      await sleep(300);
      await server.start();

      expectAll(await run);
      expect(notices).to.include.members(['waiting', 'back']);
      // the documented time
      expect(new Set(limits)).to.deep.equal(new Set([60_000]));
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(NAMES);
    });
  }

  it('M13 goes on after a restart while it reads the histories', async () => {
    let restarted: Promise<void> | undefined;
    const reading = await openTenantSet(
      database,
      {
        debug: ['query'],
        logger: text => {
          if (/obj_description/.test(text)) {
            restarted ??= server.stop().then(() => server.start());
          }
        },
      },
      [SLOW],
    );

    const result = await reading.tenants.migrate();
    await restarted;
    await reading.orm.close();

    expect(restarted).not.to.equal(undefined);
    expectAll(result);
  });

  it('M13 does not wait for a server that is not there from the start', async () => {
    await server.stop();
    const error = await failureOf(set.tenants.migrate({ direction: 'down' }));
    await server.start();

    expect(String(error)).to.contain('ECONNREFUSED');
  });

  it('M13 stops where the server stays away, blames no tenant, and the next run does the rest', async () => {
    set.use(SLOW);
    let done = 0;
    const run = set.tenants.migrate({
      databaseTimeoutMs: 400,
      onProgress: () => {
        done += 1;
      },
    });
    await until('some are done', () => done > 2);
    await server.stop();
    const result = await run;
    await server.start();

    expect([result.failed, result.stopped?.reason]).to.deep.equal([[], 'database']);
    expect(result.migrated.length + result.notBegun.length).to.equal(NAMES.length);
    expect(result.notBegun).not.to.deep.equal([]);
    expect((await set.tenants.migrate()).failed).to.deep.equal([]);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(NAMES);
  });

  it('M6 says that it was stopped where it was while it waited for the server', async () => {
    set.use(SLOW);
    const stop = new AbortController();
    let done = 0;
    const run = set.tenants.migrate({
      signal: stop.signal,
      onProgress: () => {
        done += 1;
      },
      onNotice: () => stop.abort(),
    });
    await until('some are done', () => done > 2);
    await server.stop();
    const { failed, stopped } = await run;
    await server.start();

    expect([failed, stopped]).to.deep.equal([[], { reason: 'aborted' }]);
  });

  it('M13 uses the connections that the server has left, if the pool is larger', async () => {
    await database.query(`create role few login superuser password 'few'`);
    await database.query(`create role other login password 'few' connection limit 3`);
    await database.query('grant pg_write_all_data, pg_read_all_data to other');
    await database.query(`do $$ declare n text; begin for n in select nspname from pg_namespace where nspname ~ '^t\\d\\d$' loop
      execute format('alter schema %I owner to other; alter table %I.tag owner to other; alter table %I.mikro_orm_migrations owner to other', n, n, n);
    end loop; end $$`);
    const few = await openTenantSet({
      ...database,
      options: () => ({ ...database.options(), clientUrl: server.url.replace('postgres:password', 'other:few'), pool: { min: 0, max: 8 } }),
    });
    few.use(SLOW);
    const notices: RunNotice['kind'][] = [];

    const result = await few.tenants.migrate({ onNotice: ({ kind }) => notices.push(kind) });
    await few.orm.close();

    expectAll(result);
    expect(notices).to.include('waiting');
  });

  it('M13 a migration that the client gives up each time fails, and is not taken for trouble of the database for ever', async () => {
    const hasty = await openTenantSet(database, { driverOptions: { query_timeout: 300 } }, [sqlMigration('M2', 'select pg_sleep(2)')]);

    const result = await hasty.tenants.migrate({ only: ['t00'], retries: 1 });
    await hasty.orm.close();

    expect([schemaNamesOf(result.failed), result.stopped]).to.deep.equal([['t00'], undefined]);
  });

  it('M5 two runs at once write no error into the log of the server', async () => {
    set.use(SLOW);
    const second = await openTenantSet(database, {}, [SLOW]);
    const logged = server.log.length;

    const results = await Promise.all([set.tenants.migrate(), second.tenants.migrate()]);
    await second.orm.close();

    expect(results.flatMap(({ migrated }) => schemaNamesOf(migrated)).toSorted()).to.deep.equal(NAMES);
    expect(server.log.slice(logged).filter(line => /ERROR|FATAL/.test(line))).to.deep.equal([]);
  });

  function expectAll({ migrated, failed, notBegun, stopped }: RunResult): void {
    expect([failed.map(({ error }) => String(error)), notBegun, stopped]).to.deep.equal([[], [], undefined]);
    expect(schemaNamesOf(migrated)).to.deep.equal(NAMES);
  }
});
