import { setImmediate } from 'node:timers/promises';
import { schemaRouter, tenantContext, type TenantsOptions } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import Koa from 'koa';
import type { Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/library-orm.ts';
import { proxyTo, type BreakableProxy } from '../support/breakable-proxy.ts';
import { until } from '../support/until.ts';
import { visitorOf } from '../support/visitor.ts';
import { serve } from '../support/web-server.ts';

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
        while (performance.now() < askedAt + 2_000) {
          expect(await get('acme.example.com')).to.equal('acme');
          expect(await get('localhost')).to.equal('public');
          expect(await get('bob.example.com')).to.equal(UNAVAILABLE);
          expect(await get(`${performance.now()}.example.com`)).to.equal(UNAVAILABLE);
        }

        expect(await get('nobody.example.com')).to.equal(UNAVAILABLE);
        await until('the time of acme is over', async () => (await get('acme.example.com')) === UNAVAILABLE);
        expect(performance.now() - askedAt).to.be.greaterThan(2_400);
        expect(server.errors.at(-1)).to.include({ code: 'DIRECTORY_UNAVAILABLE', status: 503, expose: true });

        await proxy.mend();
        const mendedAt = performance.now();
        await until('acme is served again', async () => (await get('acme.example.com')) === 'acme');
        expect(await get('bob.example.com')).to.equal('bob');
        expect(await get('nobody.example.com')).to.equal('public');
        expect(performance.now() - mendedAt).to.be.lessThan(2_000);
      } finally {
        await server.close();
      }
    });

    it("H10 serves nobody who was not looked up within the last second with `onUnavailable: 'refuse'`", async () => {
      await open({ onUnavailable: 'refuse' });
      const visit = visitorOf(orm);
      expect((await visit('acme.example.com')).served).to.equal('acme');
      const askedAt = performance.now();
      await proxy.cut();

      expect((await visit('acme.example.com')).served).to.equal('acme');
      await until('acme is refused', async () => (await visit('acme.example.com')).served === 'DIRECTORY_UNAVAILABLE');
      expect(performance.now() - askedAt).to.be.within(900, 3_000);
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
      expect(performance.now() - askedAt).to.be.within(250, 2_000);

      while (performance.now() < askedAt + 2_000) {
        expect((await visit('acme.example.com')).served).to.equal('acme');
        await setImmediate();
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

    it('H10 does not take a fault of the program for one: a table that is not there is an error of its own', async () => {
      await open({});
      const visit = visitorOf(orm);
      await database.query('alter table library rename to archive');

      try {
        const error = await visit('acme.example.com').catch((thrown: unknown) => thrown);

        expect(error).to.be.instanceOf(Error).and.to.include({ code: '42P01' }).and.to.not.have.property('status');
      } finally {
        await database.query('alter table archive rename to library');
      }

      expect((await visit('acme.example.com')).served).to.equal('acme');
    });

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

const UNAVAILABLE = '503, 1, Which tenant this request is for cannot be looked up at the moment. Try again in a moment.';
