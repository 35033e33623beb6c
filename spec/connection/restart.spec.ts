import { currentTenant, runInTenant, schemaRouter, tenantContext } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { Book, Tag } from '../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../support/databases/database.ts';
import { startEmbeddedServer, type EmbeddedServer } from '../support/databases/embedded-server.ts';
import { databaseOfServer } from '../support/databases/database-of-server.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { expectSound, poolOf } from '../support/databases/sound-pool.ts';
import { openTwins } from '../support/orm/twins.ts';
import { until } from '../support/assertions/until.ts';
import { serve, type WebServer } from '../support/web/web-server.ts';
import { openSession } from '../support/databases/sessions.ts';

describe('a server that is restarted', () => {
  let server: EmbeddedServer;
  let database: SpecDatabase;
  let orm: LibraryOrm;
  let web: WebServer;
  const opened: (() => unknown)[] = [];

  before(async () => {
    server = await startEmbeddedServer();
    database = databaseOfServer(server.url, close => opened.unshift(close));
    orm = await openTwins(database, { pool: { min: 0, max: 3 } });
    const app = new Koa();
    const titles = async (ctx: Koa.Context): Promise<void> => {
      ctx.body = (await orm.em.find(Book, {}, { orderBy: { id: 'asc' } })).map(({ title }) => title);
    };
    app.use(tenantContext()).use(schemaRouter({ public: titles, tenant: titles }));
    web = await serve(app, database);
  });

  after(async () => {
    for (const close of opened) {
      await close();
    }

    await server.remove();
  });

  it('N4 what was idle is made anew, what is asked for meanwhile fails, and what is asked for afterwards is answered', async () => {
    const ask = (): Promise<number[]> => Promise.all(Array.from({ length: 6 }, async () => (await web.get('acme.example.com')).status));
    expect(await ask()).to.deep.equal([200, 200, 200, 200, 200, 200]);
    expect((await poolOf(orm)).totalCount).to.be.within(1, 3);

    await runInTenant('acme', async em => {
      await server.stop();
      expect(await ask()).to.deep.equal([500, 500, 500, 500, 500, 500]);
      expect(String(await failureOf(runInTenant('acme', inner => inner.find(Book, {}))))).to.contain('ECONNREFUSED');
      expect(String(await failureOf(em.find(Book, {})))).to.contain('ECONNREFUSED');
      expect(String(await failureOf(em.transactional(tx => tx.count(Book))))).to.contain('ECONNREFUSED');
      expect(currentTenant()?.schemaName).to.equal('acme');
    });
    await server.start();

    expect(await ask()).to.deep.equal([200, 200, 200, 200, 200, 200]);
    expect((await web.get('bob.example.com')).body).to.equal('["bob book 1","bob book 2"]');
    await expectSound(orm, database);
  });

  it('T5, N3, N4 what was under way is there whole or not at all, and no place of the pool is lost', async () => {
    const blocker = await openSession(database);
    // it is ended with all others
    blocker.on('error', () => undefined);
    await blocker.query('begin');
    await blocker.query('lock table public.genre, acme.tag in access exclusive mode');
    const work = [
      // a tenant's tables refer to the genres
      orm.em.fork().persistAndFlush(newLibrary('carol')),
      runInTenant('acme', em => em.persistAndFlush(em.create(Tag, { id: 50, name: 'never stored' }))),
      runInTenant('bob', em => em.transactional(tx => tx.execute('select pg_sleep(60)'))),
    ];
    const ended = Promise.allSettled(work);
    await until('all of it is under way', async () => {
      const waiting = await database.query(
        `select 1 from pg_stat_activity where state = 'active' and (wait_event_type = 'Lock' or wait_event = 'PgSleep')`,
      );

      return waiting.length === 3;
    });

    await server.stop();
    const results = await ended;
    await server.start();

    for (const result of results.filter(({ status }) => status === 'rejected')) {
      expect(String((result as PromiseRejectedResult).reason)).to.match(/terminat|connection/i);
    }

    // whoever waited may have gone on, where the server ends the one that it waited for first
    const [carol, tag, sleep] = results.map(({ status }) => status === 'fulfilled');
    const schemas = await database.query(`select from pg_namespace where nspname = 'carol'`);
    const rows = await database.query(`select from public.library where schema_name = 'carol'`);
    const tags = await database.query(`select from acme.tag where id = 50`);
    expect(sleep).to.equal(false);
    expect(schemas).to.have.length(rows.length);
    expect(rows.length).to.be.at.least(Number(carol));
    expect(tags.length).to.be.at.least(Number(tag));
    // three at once, so each place is there
    expect(await Promise.all([1, 2, 3].map(() => runInTenant('bob', em => em.transactional(tx => tx.count(Book)))))).to.deep.equal([
      2, 2, 2,
    ]);
    await expectSound(orm, database);
  });
});
