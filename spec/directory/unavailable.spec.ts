import { setTimeout } from 'node:timers/promises';
import { schemaRouter, tenantContext, type TenantsOptions } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import Koa from 'koa';
import type { Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { proxyTo, type BreakableProxy } from '../support/faults/breakable-proxy.ts';
import { until } from '../support/assertions/until.ts';
import { visitorOf } from '../support/web/visitor.ts';
import { serve } from '../support/web/web-server.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { findListeners } from '../support/databases/sessions.ts';

onDatabases(
  'a directory whose database cannot be reached',
  database => {
    let proxy: BreakableProxy;
    let orm: LibraryOrm;

    before(async () => {
      const first = await openLibrary(database);
      await first.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await first.close();
      proxy = await proxyTo(database.url ?? '');
    });

    afterEach(async () => {
      await orm.close();
      await proxy.mend();
    });

    after(() => proxy.close());

    it('H10 serves known hosts until their time is over, and answers 503 with Retry-After to all others; and then as before', async () => {
      await open({ ttlMs: 2_500 });
      const app = new Koa();
      const name = (ctx: Koa.Context): void => {
        ctx.body = ctx.state.tenant?.schemaName ?? 'public';
      };
      app.use(tenantContext({ orm, notFound: 'public' })).use(schemaRouter({ public: name, tenant: name }));
      const server = await serve(app);
      const get = async (host: string): Promise<string> => {
        const { status, body, headers } = await server.get(host);

        return status === 200 ? body : `${status}, ${headers['retry-after']}, ${body}`;
      };

      try {
        expect(await get('acme.example.com')).to.equal('acme');
        expect(await get('nobody.example.com')).to.equal('public');
        const askedAt = performance.now();
        await proxy.cut();

        // longer than an answer is trusted without a word from the database
        while (performance.now() < askedAt + 1_500) {
          expect(await get('acme.example.com')).to.equal('acme');
          expect(await get('localhost')).to.equal('public');
          expect(await get('bob.example.com')).to.equal(UNAVAILABLE);
          expect(await get(`${performance.now()}.example.com`)).to.equal(UNAVAILABLE);
        }

        expect(await get('nobody.example.com')).to.equal(UNAVAILABLE);
        await until('the time of acme is over', async () => (await get('acme.example.com')) === UNAVAILABLE);
        expect(performance.now() - askedAt).to.be.greaterThan(2_200);
        expect(server.errors.at(-1)).to.include({ code: 'DIRECTORY_UNAVAILABLE', status: 503, expose: true });

        await proxy.mend();
        await until('acme is served again', async () => (await get('acme.example.com')) === 'acme');
        expect(await get('bob.example.com')).to.equal('bob');
        expect(await get('nobody.example.com')).to.equal('public');
      } finally {
        await server.close();
      }
    });

    it("H10 serves nobody who was not looked up within the last second with `onUnavailable: 'refuse'`", async () => {
      await open({ onUnavailable: 'refuse' });
      const visit = visitorOf(orm);
      const begunAt = performance.now();
      expect((await visit('acme.example.com')).served).to.equal('acme');
      const askedAt = performance.now();
      await proxy.cut();

      const { served } = await visit('acme.example.com');
      // a busy machine may take longer than that
      expect(served).to.equal(performance.now() - begunAt < 1_000 ? 'acme' : served);
      await until('a second is over', () => performance.now() > askedAt + 1_000);
      expect((await visit('acme.example.com')).served).to.equal('DIRECTORY_UNAVAILABLE');
    });

    it('H10 does not wait longer than `lookupTimeoutMs` for a database that says nothing, and keeps serving whom it knows', async () => {
      await open({ lookupTimeoutMs: 300 });
      const visit = visitorOf(orm);
      expect((await visit('acme.example.com')).served).to.equal('acme');
      const askedAt = performance.now();
      proxy.freeze();
      const { served, error } = await visit('bob.example.com');

      expect(served).to.equal('DIRECTORY_UNAVAILABLE');
      expect((error as Error).cause).to.match(/300 ms/);

      while (performance.now() < askedAt + 1_500) {
        expect((await visit('acme.example.com')).served).to.equal('acme');
        await setTimeout(5);
      }

      await proxy.mend();
      await until('bob is served', async () => (await visit('bob.example.com')).served === 'bob');
    });

    it('H10 takes a pool that has no connection to give for a database that cannot be reached', async () => {
      await open({}, { pool: { min: 0, max: 1 }, driverOptions: { connectionTimeoutMillis: 100 } });
      const visit = visitorOf(orm);
      const em = orm.em.fork();
      await em.begin();

      expect((await visit('acme.example.com')).served).to.equal('DIRECTORY_UNAVAILABLE');
      await em.rollback();
      await until('acme is served', async () => (await visit('acme.example.com')).served === 'acme');
    });

    it('H10 waits for all no longer than for one, and leaves the pool to those it knows, while the table is locked', async () => {
      await open({ listen: false, lookupTimeoutMs: 500 }, { pool: { min: 0, max: 5 } });
      const visit = visitorOf(orm);
      await visit('acme.example.com');
      await database.query('begin');

      try {
        await database.query('lock table library');

        for (let round = 0; round < 3; round += 1) {
          const endedAt: number[] = [];
          const refused = await Promise.all(
            ['x', 'y', 'z'].map(async host => {
              const { served } = await visit(`${host}.example.com`);
              endedAt.push(performance.now());

              return served;
            }),
          );
          expect(refused).to.deep.equal(Array(3).fill('DIRECTORY_UNAVAILABLE'));
          // one after the other, the last would wait for 1,000 ms more than the first
          expect((endedAt.at(-1) ?? 0) - (endedAt[0] ?? 0)).to.be.lessThan(500);
          await until('it is asked again', async () => (await visit('bob.example.com')).error?.['cause' as never] !== undefined);
        }

        await visit('acme.example.com', () => orm.em.execute('select 1'));
        expect(await free()).to.equal(1);
      } finally {
        await database.query('rollback');
      }

      await until('bob is served', async () => (await visit('bob.example.com')).served === 'bob');
    });

    it('H10 takes a statement that is cancelled, or gives up on a lock, for a database that does not answer in time', async () => {
      for (const setting of ['statement_timeout', 'lock_timeout']) {
        await open({ onUnavailable: 'serve', listen: false, ttlMs: 600_000 }, { driverOptions: { [setting]: 100 } });
        const visit = visitorOf(orm);
        await visit('acme.example.com');
        await database.query('begin');

        try {
          await database.query('lock table library');
          expect((await visit('bob.example.com')).served, setting).to.equal('DIRECTORY_UNAVAILABLE');
          expect((await visit('acme.example.com')).served, setting).to.equal('acme');
        } finally {
          await database.query('rollback');
          await orm.close();
        }
      }
    });

    it('H10 does not serve a tenant that was told to have changed while it was waited for', async () => {
      await open({ listen: { url: database.url ?? '' }, lookupTimeoutMs: 1_500, ttlMs: 600_000 });
      const visit = visitorOf(orm);
      const askedAt = performance.now();
      expect((await visit('acme.example.com')).served).to.equal('acme');
      await until('it listens', async () => {
        const [listener] = await findListeners(database);

        return listener?.query === 'select 1';
      });
      proxy.freeze();
      // it was asked for before it listened, so it is asked for again
      await until('a second is over', () => performance.now() > askedAt + 1_100);
      const waiting = visit('acme.example.com');
      await database.query(`select pg_notify('landlord:public.library', 'acme')`);

      expect((await waiting).served).to.equal('DIRECTORY_UNAVAILABLE');
      await proxy.mend();
      await until('acme is served', async () => (await visit('acme.example.com')).served === 'acme');
    });

    it('H10 does not take a fault of the program for one: a table that is not there is an error of its own', async () => {
      await open({});
      const visit = visitorOf(orm);
      await database.query('alter table library rename to archive');

      try {
        const error = await failureOf(visit('acme.example.com'));

        expect(error).to.be.instanceOf(Error).and.to.include({ code: '42P01' }).and.to.not.have.property('status');
      } finally {
        await database.query('alter table archive rename to library');
      }

      expect((await visit('acme.example.com')).served).to.equal('acme');
    });

    /** Places in the pool that nobody has. */
    async function free(): Promise<number> {
      const { totalCount, idleCount, options } = (await orm.em.getConnection().getNativeClient()) as Pool;

      return options.max - totalCount + idleCount;
    }

    async function open(directory: NonNullable<TenantsOptions<Library>['directory']>, config: object = {}): Promise<void> {
      orm = await openLibrary(
        { ...database, options: () => ({ driver: PostgreSqlDriver, clientUrl: proxy.url, logger: () => undefined }) },
        { directory },
        config,
      );
    }
  },
  ['postgresql'],
);

const UNAVAILABLE = '503, 1, The tenant of this request cannot be looked up at the moment. Try again in a moment.';

interface Pool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly options: { readonly max: number };
}
