import { currentSchema, currentTenant, runInPublic, runInTenant, schemaRouter, tenantContext } from '@landlord/mikro-orm';
import { expect } from 'chai';
import fc from 'fast-check';
import Koa from 'koa';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { expectIdle } from '../../support/databases/idle-connections.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { effort } from '../../support/generators/effort.ts';
import { describeFailure, checkOperations } from '../../support/generators/property.ts';
import { KINDS, requestModel, type RequestModelOptions } from '../../support/models/request-model.ts';
import { until } from '../../support/assertions/until.ts';
import { schemaOf, Visits } from '../../support/models/visits.ts';
import { createLibraries, hostOf } from '../../support/web/web-library.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';

const TENANTS = ['acme', 'bob', 'carol', 'dave', 'erin'];

const HOSTS = [...TENANTS.map(hostOf), 'localhost'];

/** Small, so that a connection leak shows at once. */
const CONNECTIONS = 3;

/** PGlite has one connection, and does not stream. */
const ON_ONE_CONNECTION = {
  operations: effort(200, 500),
  maxHolding: 0,
  kinds: KINDS.filter(kind => kind !== 'transaction' && kind !== 'rows'),
};

const SIZES = {
  postgresql: { operations: effort(600, 3_000), maxHolding: CONNECTIONS - 1, kinds: KINDS },
  pglite: ON_ONE_CONNECTION,
  pgbouncer: ON_ONE_CONNECTION,
} as const;

const MAX_COMMANDS = 60;

const SEED = 20_260_101;

/** Wrong ways to set the tenant of a request. */
const LEAKS: Readonly<Record<string, Koa.Middleware>> = {
  'a scope that ends before the body does': (ctx, next) =>
    ctx.hostname === 'localhost' ? runInPublic(() => next()) : runInTenant(schemaOf(ctx.hostname), () => next()),
  'a scope that a request on the same connection has again': (() => {
    const tenants = new WeakMap<object, string>();

    return (ctx: Koa.Context, next: Koa.Next) => {
      const name = tenants.get(ctx.socket) ?? schemaOf(ctx.hostname);
      tenants.set(ctx.socket, name);

      return name === 'public' ? runInPublic(() => next()) : runInTenant(name, () => next());
    };
  })(),
};

onDatabasesAndPooler('any requests', database => {
  let orm: LibraryOrm;
  let visits: Visits;
  const { operations, maxHolding, kinds } = SIZES[database.kind];
  const options: Omit<RequestModelOptions, 'count'> = { hosts: HOSTS, kinds, maxCommands: MAX_COMMANDS, maxHolding };

  before(async () => {
    orm = await openLibrary(database, {}, { pool: { min: 0, max: CONNECTIONS } });
    await createLibraries(orm, ...TENANTS);
    visits = new Visits(orm);
  });

  after(() => visits.close());

  it('H7, H9, S3 each answer is of its own tenant to its end, and leaves no scope and no connection, also where visitors hang up', async function () {
    this.timeout(300_000);
    const count = { operations: 0 };
    const route = (ctx: Koa.Context): Promise<void> => visits.serve(ctx);
    const server = await start(tenantContext(), schemaRouter({ public: route, tenant: route }));
    const model = requestModel(() => visits.open(server, expectNothingLeft), { ...options, count });

    await checkOperations('any requests', model, { operations, maxCommands: MAX_COMMANDS, count });
    console.log(`      ${count.operations} operations`);
  });

  for (const [leak, scope] of Object.entries(LEAKS)) {
    it(`law 8: the model finds ${leak}, and tells it in a few steps`, async () => {
      const server = await start(scope, ctx => visits.serve(ctx));
      const model = requestModel(() => visits.open(server, expectNothingLeft), { ...options, count: { operations: 0 } });
      const details = await fc.check(model, { seed: SEED, numRuns: 50 });

      expect(details.failed, 'the leak was found').to.equal(true);
      expect(describeFailure(details)).to.match(/^seed \d+, path [\d:]+, \d+ times shrunk, fails with .*\n\[send /s);
      expect([...details.counterexample![0]].length, describeFailure(details)).to.be.at.most(6);
    });
  }

  async function start(...middlewares: Koa.Middleware[]): Promise<WebServer> {
    const app = new Koa();
    // outside every scope, also after the request
    app.use(async (ctx, next) => {
      visits.look(ctx, undefined);
      await next().finally(() => visits.look(ctx, undefined));
    });
    middlewares.forEach(middleware => app.use(middleware));

    return serve(app, database);
  }

  async function expectNothingLeft(): Promise<void> {
    await until('every route has ended', () => visits.active === 0);
    expect([currentTenant(), currentSchema()]).to.deep.equal([undefined, undefined]);
    await expectIdle(database);

    if (database.kind === 'postgresql') {
      await useAllConnections();
    }
  }

  // each request waits inside until all others have arrived
  async function useAllConnections(): Promise<void> {
    let [inside, waited] = [0, false];
    await Promise.all(
      Array.from({ length: CONNECTIONS }, () =>
        orm.em.fork().transactional(async em => {
          await em.execute('select 1');
          inside += 1;
          waited ||= inside === CONNECTIONS;
          await until('all connections are free', () => waited);
        }),
      ),
    );
  }
});
