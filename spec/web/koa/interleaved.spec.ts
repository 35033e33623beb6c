import { setImmediate, setTimeout } from 'node:timers/promises';
import { currentSchema, currentTenant, runInPublic, runInTenant, schemaRouter, tenantContext } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { Author } from '../../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { Gate } from '../../support/assertions/gate.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { authorsHere, createLibraries, hostOf } from '../../support/web/web-library.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';
import { failureOf } from '../../support/assertions/failure.ts';

const TENANTS = ['acme', 'bob', 'carol'];

onDatabasesAndPooler('interleaved requests', database => {
  let orm: LibraryOrm;
  let server: WebServer;
  /** The number of requests that must be in their routes before any of them continues. */
  let toWaitFor = 0;
  const meeting = new Gate();

  before(async () => {
    orm = await openLibrary(database);
    await createLibraries(orm, ...TENANTS);
    const app = new Koa();
    app.use(tenantContext()).use(schemaRouter({ public: ctx => void (ctx.body = [currentSchema()]), tenant: wander }));
    server = await serve(app, database);
  });

  it('S3 a hundred requests at once, over three tenants and the public host each see their own, also where some throw', async () => {
    toWaitFor = 90;
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const tenant = index % 10 === 9 ? undefined : TENANTS[index % TENANTS.length];
        const throws = index % 7 === 3;
        const answer = await server.get(tenant === undefined ? 'localhost' : hostOf(tenant), `/${index}${throws ? '?throws' : ''}`);

        return { index, tenant, throws, status: answer.status, body: answer.body };
      }),
    );

    for (const { index, tenant, throws, status, body } of answers) {
      if (tenant === undefined) {
        expect({ status, body: JSON.parse(body) }).to.deep.equal({ status: 200, body: ['public'] });
      } else if (throws) {
        expect({ status, body }).to.deep.equal({ status: 418, body: `${tenant} ${index}` });
      } else {
        expect(status).to.equal(200);
        expect(JSON.parse(body)).to.deep.equal(Array.from({ length: STEPS.length }, () => [tenant, tenant, `Ann of ${tenant}`]));
      }
    }

    expect(currentTenant()).to.equal(undefined);
  });

  it('S3 what a hundred requests write, each tenant has of its own', async () => {
    await Promise.all(
      Array.from({ length: 99 }, (_, index) => server.get(hostOf(TENANTS[index % TENANTS.length] ?? ''), `/${index}?write=${index}`)),
    );

    for (const [first, tenant] of TENANTS.entries()) {
      const rows = await database.query<{ name: string }>(`select name from ${tenant}.author where name like 'written%'`);
      const own = Array.from({ length: 33 }, (_, turn) => `written for ${tenant} by ${first + turn * TENANTS.length}`);

      expect(rows.map(({ name }) => name)).to.have.members(own);
    }
  });

  async function meet(): Promise<void> {
    if (--toWaitFor > 0) {
      return meeting.pass();
    }

    while (meeting.waiting > 0) {
      meeting.open();
    }
  }

  /** Waits in every possible way, and reports the tenant after each. */
  async function wander(ctx: Koa.Context): Promise<void> {
    const index = Number(ctx.path.slice(1));
    const seen: unknown[] = [];
    await meet();

    if (ctx.query['write'] !== undefined) {
      await setImmediate();
      await orm.em.persistAndFlush(orm.em.create(Author, { name: `written for ${currentTenant()?.schemaName} by ${index}` }));
    }

    for (let step = 0; step < STEPS.length; step++) {
      // each request uses a different order
      await STEPS[(index + step) % STEPS.length]?.(index);
      const [author] = await authorsHere(orm);
      seen.push([ctx.state.tenant?.schemaName, currentTenant()?.schemaName, author]);
    }

    ctx.assert(ctx.query['throws'] === undefined, 418, `${currentTenant()?.schemaName} ${index}`);
    ctx.body = seen;
  }
});

const STEPS: readonly ((index: number) => unknown)[] = [
  () => undefined,
  () => setImmediate(),
  index => setTimeout((index * 7) % 5),
  () => new Promise(resolve => process.nextTick(resolve)),
  () => runInPublic(() => setImmediate()),
  index => runInTenant(TENANTS[(index + 1) % TENANTS.length] ?? '', em => em.find(Author, {})),
  async () => expect(String(await failureOf(runInPublic(() => Promise.reject(new Error('in public')))))).to.equal('Error: in public'),
];
