import { setTimeout as sleep } from 'node:timers/promises';
import {
  currentSchema,
  forEachTenant,
  isHostServed,
  runInTenant,
  tenantContext,
  tenants,
  TenantStateMixin,
  type TenantContextOptions,
} from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import Koa from 'koa';
import { failureOf } from '../../support/assertions/failure.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { Note, openNoteOrm } from '../../support/orm/note-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { serveUntilSpecEnds, type WebServer } from '../../support/web/web-server.ts';

class Shop extends TenantStateMixin {}
defineEntity({ class: Shop, extends: TenantStateMixin as never, properties: {} });

onDatabases('tenants with a state', database => {
  let orm: SpecOrm;
  const serve = serveUntilSpecEnds();

  before(async () => {
    // no trigger tells of changes by plain SQL here
    orm = await openNoteOrm(database, Shop, { directory: { ttlMs: 1_000 } });

    for (const name of ['acme', 'bob', 'carl']) {
      await tenants(orm).create({ schemaName: name, domainUrl: `${name}.example.com` });
    }
  });

  afterEach(() => setState('bob', 'active'));

  async function setState(schemaName: string, state: Shop['state']): Promise<void> {
    const em = orm.em.fork();
    const shop = await em.findOneOrFail(Shop, { schemaName });
    shop.state = state;
    await em.flush();
  }

  async function start(options: TenantContextOptions = {}): Promise<WebServer> {
    const koa = new Koa();
    koa.use(tenantContext(options)).use(async ctx => {
      const schema = currentSchema();
      ctx.body = schema === 'public' ? { schema } : { schema, notes: await orm.em.count(Note) };
    });

    return serve(koa);
  }

  it('H18 a new tenant is active, also where nothing was said of it', async () => {
    expect(await database.query('select distinct state from public.shop')).to.deep.equal([{ state: 'active' }]);
    expect((await orm.em.fork().findOneOrFail(Shop, { schemaName: 'bob' })).state).to.equal('active');
  });

  it('H18 a suspended tenant is answered byte for byte as one that does not exist, without a query and within the second', async () => {
    const server = await start();
    expect((await server.get('bob.example.com')).status).to.equal(200);
    await setState('bob', 'suspended');
    await until('it is known', async () => (await server.get('bob.example.com')).status === 404, 1_500);
    await until('both are known', async () => {
      database.statements.length = 0;
      await server.get('bob.example.com');
      await server.get('bub.example.com');

      return database.statements.length === 0;
    });
    const raw = (host: string): Promise<string> => server.raw(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    const [suspended, unknown] = [await raw('bob.example.com'), await raw('bub.example.com')];

    expect(suspended).to.match(/^HTTP\/1.1 404/);
    expect(withoutDate(suspended).replaceAll('bob', 'bub')).to.equal(withoutDate(unknown));
    expect(database.statements).to.deep.equal([]);
    expect(JSON.parse((await server.get('acme.example.com')).body)).to.deep.equal({ schema: 'acme', notes: 0 });
  });

  it('H18 a suspended tenant is told so where `suspendedStatus` says it, and serves the public routes where those are for unknown hosts', async () => {
    await setState('bob', 'suspended');
    const told = await start({ suspendedStatus: 402 });
    const open = await start({ notFound: 'public' });
    await until('it is known', async () => (await told.get('bob.example.com')).status === 402, 1_500);

    expect((await told.get('bob.example.com')).body).to.equal('This tenant is suspended.');
    expect(JSON.parse((await open.get('bob.example.com')).body)).to.deep.equal({ schema: 'public' });
  });

  it('H19 a tenant in maintenance is 503 with Retry-After for all but those who are let in, of whom each is asked for', async () => {
    await setState('bob', 'maintenance');
    const asked: string[] = [];
    const server = await start({
      maintenance: {
        retryAfterSeconds: 7,
        bypass: (ctx, tenant) => {
          asked.push(`${currentSchema()} ${tenant.schemaName}`);

          return ctx.get('x-operator') === 'yes';
        },
      },
    });
    await until('it is known', async () => (await server.get('bob.example.com')).status === 503, 1_500);
    const refused = await server.get('bob.example.com');
    const letIn = await server.get('bob.example.com', '/', { headers: { 'x-operator': 'yes' } });

    expect(refused.headers['retry-after']).to.equal('7');
    expect((await (await start()).get('bob.example.com')).headers['retry-after']).to.equal('60');
    expect(JSON.parse(letIn.body)).to.deep.equal({ schema: 'bob', notes: 0 });
    expect(new Set(asked)).to.deep.equal(new Set(['bob bob']));
    expect((await server.get('acme.example.com')).status).to.equal(200);
  });

  it('H19 who is let in is asked by `authorize` too', async () => {
    await setState('bob', 'maintenance');
    const server = await start({ maintenance: { bypass: () => true }, authorize: () => false });
    await until('it is known', async () => (await server.get('bob.example.com')).status !== 503, 1_500);

    expect((await server.get('bob.example.com')).status).to.equal(404);
  });

  it('H18 H19 certificates are for tenants in maintenance, and not for suspended ones', async () => {
    await setState('bob', 'maintenance');
    await setState('carl', 'suspended');
    await until('it is known', async () => !(await isHostServed('carl.example.com')), 1_500);

    expect(await isHostServed('bob.example.com')).to.equal(true);
    expect(await isHostServed('acme.example.com')).to.equal(true);
    await setState('carl', 'active');
  });

  it('H18 a state that is none is no service', async () => {
    const [{ name } = { name: '' }] = await database.query<{ name: string }>(
      `select conname as name from pg_constraint where conrelid = 'public.shop'::regclass and contype = 'c'`,
    );
    await database.query(`alter table public.shop drop constraint "${name}"`);
    await database.query(`update public.shop set state = 'closed' where schema_name = 'carl'`);
    const server = await start();
    await until('it is known', async () => (await server.get('carl.example.com')).status === 404, 1_500);
    await database.query(`update public.shop set state = 'active' where schema_name = 'carl'`);
    await until('it is back', async () => (await server.get('carl.example.com')).status === 200, 1_500);
  });

  for (const [state, code] of [
    ['suspended', 'TENANT_SUSPENDED'],
    ['maintenance', 'TENANT_IN_MAINTENANCE'],
  ] as const) {
    it(`S25 runInTenant() with onlyActive refuses one that is in ${state}, by its name, an old row and in a transaction`, async () => {
      const old = await orm.em.fork().findOneOrFail(Shop, { schemaName: 'bob' });
      await setState('bob', state);
      const only = { orm, onlyActive: true };
      let ran = 0;
      const run = (tenant: Shop | string): Promise<unknown> => failureOf(runInTenant(tenant, () => void (ran += 1), only));
      await until('it is known', async () => ((await run('bob')) as { code?: string } | undefined)?.code === code, 1_500);
      ran = 0;

      expect(await run(old)).to.include({ code });
      expect(await orm.em.fork().transactional(async () => run('bob'))).to.include({ code });
      expect(ran).to.equal(0);
      expect(await runInTenant('bob', () => currentSchema(), { orm })).to.equal('bob');
      expect(await runInTenant('acme', () => currentSchema(), only)).to.equal('acme');
    });

    it(`S25 forEachTenant() leaves out one that is in ${state}, unless it is asked for`, async () => {
      await setState('bob', state);
      const visited = async (states?: readonly Shop['state'][]): Promise<string[]> =>
        (await forEachTenant(() => undefined, { orm, ...(states === undefined ? {} : { states }) })).map(({ schemaName }) => schemaName);

      expect(await visited()).to.deep.equal(['acme', 'carl']);
      expect(await visited([state])).to.deep.equal(['bob']);
      expect(await visited(['active', 'suspended', 'maintenance'])).to.deep.equal(['acme', 'bob', 'carl']);
    });

    it(`S25 forEachTenant() leaves out one that gets into ${state} while others are visited`, async () => {
      const visited: (string | undefined)[] = [];
      const outcomes = await forEachTenant(
        async () => {
          visited.push(currentSchema());

          if (currentSchema() === 'acme') {
            await setState('bob', state);
            // what was read then is too old to go by
            await sleep(1_000);
          }
        },
        { orm, concurrency: 1 },
      );

      expect(visited).to.deep.equal(['acme', 'carl']);
      expect(outcomes.map(({ schemaName }) => schemaName)).to.deep.equal(visited);
    });
  }
});

function withoutDate(answer: string): string {
  return answer.replace(/^Date: .*$/m, '');
}
