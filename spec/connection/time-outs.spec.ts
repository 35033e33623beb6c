import { forEachTenant, runInTenant, type ProvisioningError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type pg from 'pg';
import { Book, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { Gate } from '../support/assertions/gate.ts';
import { POOL_OF_ONE } from '../support/databases/idle-connections.ts';
import { initLibrary, newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { expectSound, poolOf } from '../support/databases/sound-pool.ts';
import { openTcpProxy, type TcpProxy } from '../support/faults/tcp-proxy.ts';
import { openTwins } from '../support/orm/twins.ts';
import { until } from '../support/assertions/until.ts';
import { openSession } from '../support/databases/sessions.ts';

onDatabases(
  'what takes too long, on a pool of one',
  database => {
    let orm: LibraryOrm;
    let other: pg.Client;

    before(async () => {
      // one that listens would use the pool while connections are renewed
      orm = await openTwins(
        database,
        { ...POOL_OF_ONE, driverOptions: { connectionTimeoutMillis: 300 } },
        { directory: { listen: false } },
      );
      other = await openSession(database);
    });

    afterEach(async () => {
      await other.query('rollback');
      await expectSound(orm, database);
    });

    /** What is set for all connections that are opened while `fn` runs; the pool has those alone. */
    async function withSetting(setting: string, value: string, fn: () => Promise<void>): Promise<void> {
      const { name } = (await database.query<{ name: string }>('select current_database() as name'))[0] ?? { name: '' };
      await database.query(`alter database "${name}" set ${setting} = '${value}'`);
      await renewConnection();

      try {
        await fn();
      } finally {
        await database.query(`alter database "${name}" reset ${setting}`);
        await renewConnection();
      }
    }

    async function renewConnection(): Promise<void> {
      await database.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid not in (pg_backend_pid(), $1)`,
        [(await other.query('select pg_backend_pid() as pid')).rows[0].pid],
      );
      const pool = await poolOf(orm);
      await until('the pool has noticed', () => pool.totalCount === 0);
    }

    it('N3, N4 a statement that takes too long fails with PostgreSQL’s own error, wherever it is', async () => {
      await withSetting('statement_timeout', '200ms', async () => {
        const slow = 'select pg_sleep(30)';
        const uses: Record<string, () => Promise<unknown>> = {
          'raw SQL': () => runInTenant('acme', em => em.execute(slow)),
          'raw SQL in a transaction': () => runInTenant('acme', em => em.transactional(tx => tx.execute(slow))),
          'raw SQL in a savepoint': () => runInTenant('acme', em => em.transactional(tx => tx.transactional(inner => inner.execute(slow)))),
        };

        for (const [name, use] of Object.entries(uses)) {
          expect(sqlStateOf(await failureOf(use())), name).to.equal('57014');
          await expectSound(orm, database);
        }
      });
    });

    it('N3, N4 work that waits for a lock too long fails with PostgreSQL’s own error, and its scope goes on', async () => {
      await withSetting('lock_timeout', '100ms', async () => {
        await other.query('begin');
        await other.query('lock table acme.tag in access exclusive mode');

        await runInTenant('acme', async em => {
          expect(sqlStateOf(await failureOf(em.fork().find(Tag, {})))).to.equal('55P03');
          expect(sqlStateOf(await failureOf(em.fork().persistAndFlush(em.create(Tag, { id: 9, name: 'x' }, { persist: false }))))).to.equal(
            '55P03',
          );
          expect((await em.findOneOrFail(Book, 1)).title).to.equal('acme book 1');
        });

        const outcomes = await forEachTenant(em => em.count(Tag), { settle: true });
        expect(outcomes.map(({ schemaName, ok }) => [schemaName, ok])).to.deep.equal([
          ['acme', false],
          ['bob', true],
        ]);
        await other.query('rollback');
      });
    });

    it('T5, N4 a tenant whose creation waits for a lock too long is not there at all', async () => {
      await withSetting('lock_timeout', '100ms', async () => {
        await other.query('begin');
        await other.query('lock table public.library in exclusive mode');
        expect(sqlStateOf(await failureOf(orm.em.fork().persistAndFlush(newLibrary('late'))))).to.equal('55P03');
        await other.query('rollback');

        // it refers to this one by a foreign key, so here it is the migration that waits
        await other.query('begin');
        await other.query('lock table public.genre in access exclusive mode');
        const error = (await failureOf(orm.em.fork().persistAndFlush(newLibrary('late')))) as ProvisioningError;
        await other.query('rollback');

        expect(error.code, String(error)).to.equal('TENANT_NOT_PROVISIONED');
        expect(sqlStateOf(error)).to.equal('55P03');
        expect(await database.query(`select 1 from pg_namespace where nspname = 'late'`)).to.deep.equal([]);
        expect(await database.query(`select 1 from public.library where schema_name = 'late'`)).to.deep.equal([]);
      });
    });

    it('N3, N4 a transaction that is idle too long is ended by the server, and its place in the pool is free', async () => {
      await withSetting('idle_in_transaction_session_timeout', '50ms', async () => {
        const error = await failureOf(
          runInTenant('acme', em =>
            em.transactional(async tx => {
              await tx.insert(Tag, { id: 10, name: 'never stored' });
              await until('the server has ended it', async () => {
                const backends = await database.query(
                  `select 1 from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`,
                );

                return backends.length === 0;
              });
              await tx.count(Tag);
            }),
          ),
        );

        expect(String(error)).to.match(/terminat|not queryable/i);
        expect(await database.query('select 1 from acme.tag where id = 10')).to.deep.equal([]);
      });
    });

    it('N3, N4 with the pool exhausted everybody else fails within `connectionTimeoutMillis`, and goes on when a place is free', async () => {
      const gate = new Gate();
      const holding = runInTenant('acme', em =>
        em.transactional(async tx => {
          await tx.count(Book);
          await gate.pass();
          return tx.count(Book);
        }),
      );
      await until('it holds the connection', () => gate.waiting === 1);

      const failures = await Promise.all([
        failureOf(orm.em.fork({ schema: 'bob' }).find(Book, {})),
        failureOf(orm.em.fork({ schema: 'bob' }).transactional(em => em.count(Book))),
        failureOf(runInTenant('bob', em => em.count(Book))),
        failureOf(orm.em.fork().persistAndFlush(newLibrary('late'))),
        failureOf(forEachTenant(() => expect.fail('it was called'))),
      ]);
      expect(failures.map(String).filter(error => !error.includes('timeout exceeded when trying to connect'))).to.deep.equal([]);

      gate.open();
      expect(await holding).to.equal(2);
    });
  },
  ['postgresql'],
);

onDatabases(
  'a network that stalls, on a pool of one',
  database => {
    let orm: LibraryOrm;
    let proxy: TcpProxy;

    before(async () => {
      proxy = await openTcpProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      // a busy machine takes longer than these time-outs to make the tenants
      await (await openTwins(database)).close();
      orm = await initLibrary(
        database,
        // the listener would look for its connection while the network stalls, and take the only one to do so
        { directory: { listen: false } },
        { ...POOL_OF_ONE, clientUrl: proxy.url, driverOptions: { query_timeout: 300, connectionTimeoutMillis: 300 } },
      );
    });

    afterEach(() => expectSound(orm, database));

    const connectionNow = async (): Promise<number> =>
      (await orm.em.fork().execute<{ pid: number }[]>('select pg_backend_pid() as pid'))[0]?.pid ?? 0;
    const uses: Record<string, () => Promise<unknown>> = {
      'a find': () => orm.em.fork({ schema: 'acme' }).find(Book, {}),
      'raw SQL': () => orm.em.fork({ schema: 'acme' }).execute('select name from tag'),
      'raw SQL in a transaction': () =>
        orm.em.fork({ schema: 'acme' }).transactional(em => em.execute(`insert into tag (id, name) values (30, 'raw')`)),
      'a transaction': () => orm.em.fork({ schema: 'acme' }).transactional(em => em.insert(Tag, { id: 31, name: 'stalled' })),
      'creating a tenant': () => orm.em.fork().persistAndFlush(newLibrary('stalled')),
    };

    for (const [name, use] of Object.entries(uses)) {
      it(`N3, N4 ${name} fails within \`query_timeout\`, and nobody gets its connection`, async () => {
        const stalled = await connectionNow();
        proxy.stall();
        const error = await failureOf(use());
        proxy.resume();

        expect(String(error)).to.contain('Query read timeout');
        expect(await connectionNow()).not.to.equal(stalled);
        expect(await database.query('select 1 from acme.tag where id in (30, 31)')).to.deep.equal([]);
        expect(await database.query(`select 1 from pg_namespace where nspname = 'stalled'`)).to.deep.equal([]);
      });
    }

    it('N3, N4 a transaction that stalls in its midst is given up whole, and nobody gets its connection', async () => {
      const error = await failureOf(
        runInTenant('acme', em =>
          em.transactional(async tx => {
            await tx.insert(Tag, { id: 32, name: 'stalled' });
            proxy.stall();
            await tx.count(Tag);
          }),
        ),
      );
      proxy.resume();

      expect(String(error)).to.contain('Query read timeout');
      expect(await database.query('select 1 from acme.tag where id = 32')).to.deep.equal([]);
    });
  },
  ['postgresql'],
);
