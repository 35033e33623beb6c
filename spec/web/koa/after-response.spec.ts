import { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import { currentSchema, currentTenant, schemaRouter, tenantContext } from '@landlord/mikro-orm';
import { RequestContext } from '@mikro-orm/core';
import { expect } from 'chai';
import Koa from 'koa';
import { Author } from '../../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { expectIdle, POOL_OF_ONE } from '../../support/databases/idle-connections.ts';
import { openLibrary, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { until } from '../../support/assertions/until.ts';
import { authorsHere, createLibraries, hostOf } from '../../support/web/web-library.ts';
import { serveUntilSpecEnds, type WebServer } from '../../support/web/web-server.ts';

type Route = (ctx: Koa.Context) => unknown;

onDatabasesAndPooler('after a response', database => {
  let orm: LibraryOrm;
  const serve = serveUntilSpecEnds();

  before(async () => {
    orm = await openLibrary(database, {}, POOL_OF_ONE);
    await createLibraries(orm, 'acme', 'bob');
  });

  const endings: Record<string, { readonly route: Route; readonly status: number; readonly host?: string }> = {
    'an answer': { status: 200, route: async ctx => (ctx.body = await authorsHere(orm)) },
    'a throw': {
      status: 500,
      route: async () => {
        await authorsHere(orm);
        throw new Error('thrown');
      },
    },
    'a synchronous throw': {
      status: 500,
      route: () => {
        throw new Error('thrown');
      },
    },
    'a status thrown': { status: 403, route: ctx => ctx.throw(403) },
    'a failed statement': { status: 500, route: () => orm.em.execute('select * from nowhere') },
    'a throw in a transaction': {
      status: 500,
      route: () =>
        orm.em.transactional(async em => {
          await em.persistAndFlush(em.create(Author, { name: 'never stored' }));
          throw new Error('thrown');
        }),
    },
    'no answer': { status: 404, route: () => undefined },
    'an unknown host': { status: 404, route: () => undefined, host: 'nobody.example.com' },
    'a malformed host': { status: 400, route: () => undefined, host: 'no body' },
    'a public host': { status: 200, route: ctx => (ctx.body = 'public'), host: 'localhost' },
    'a stream': {
      status: 200,
      route: ctx => {
        ctx.body = Readable.from([1, 2, 3]).map(async () => String(await authorsHere(orm)));
      },
    },
  };

  for (const [ending, { route, status, host = hostOf('acme') }] of Object.entries(endings)) {
    it(`H7 leaves no scope and holds no connection after ${ending}`, async () => {
      const found: unknown[] = [];
      const server = await start(route, found);

      expect((await server.get(host)).status).to.equal(status);

      expect(found).to.deep.equal([NOTHING, NOTHING]);
      await expectFreePool();
    });
  }

  it('H7 leaves no scope to the next requests of the same connection', async () => {
    const found: unknown[] = [];
    const server = await start(ctx => {
      const text = async (): Promise<string> => `${currentTenant()?.schemaName} ${await authorsHere(orm)}`;
      // the end of the response runs in the scope, and the next request starts from it
      ctx.body = Readable.from([1]).map(text);
    }, found);
    const request = (host: string, last = false): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;

    const answers = await server.raw(
      [request(hostOf('acme')), request(hostOf('bob')), request('nobody.example.com'), request(hostOf('acme'), true)].join(''),
    );

    expect(answers.match(/HTTP\/1.1 \d+/g)).to.deep.equal(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
    expect(answers.match(/(acme|bob) Ann of (acme|bob)/g)).to.deep.equal(['acme Ann of acme', 'bob Ann of bob', 'acme Ann of acme']);
    expect(found).to.deep.equal(Array.from({ length: 8 }, () => NOTHING));
  });

  for (const [title, throws] of [
    ['replaces a body', false],
    ['catches a throw after a body was set', true],
  ] as const) {
    it(`H7 destroys the body as its own tenant where a middleware outside of the scope ${title}`, async () => {
      const ended: unknown[] = [];
      const caught: string[] = [];
      const server = await start(
        ctx => {
          ctx.body = new Readable({
            read: () => undefined,
            destroy: (error, callback) => callbackify(async () => ended.push(await authorsHere(orm)))(() => callback(error)),
          });

          if (throws) {
            throw new Error('thrown');
          }
        },
        [],
        async (ctx, next) => {
          await next().catch((error: unknown) => caught.push(String(error)));
          ctx.body = 'replaced';
        },
      );

      expect(await server.get(hostOf('acme'))).to.include({ status: 200, body: 'replaced' });
      await until('the body is destroyed', () => ended.length === 1);

      expect(ended).to.deep.equal([['Ann of acme']]);
      expect(caught).to.deep.equal(throws ? ['Error: thrown'] : []);
      expect(server.errors).to.deep.equal([]);
    });
  }

  it('H7 answers HEAD without reading the body, and destroys it', async () => {
    const bodies: Readable[] = [];
    let reads = 0;
    const server = await start(ctx => {
      const body = new Readable({ read: () => void reads++ });
      bodies.push(body);
      ctx.body = body;
    });

    expect(await server.get(hostOf('acme'), '/', { method: 'HEAD' })).to.include({ status: 200, body: '' });
    await until('the body is destroyed', () => bodies[0]?.destroyed === true);

    expect(reads).to.equal(0);
  });

  /** Serves the route. `found` collects the scopes before and after the request's own. */
  async function start(route: Route, found: unknown[] = [], outside: Koa.Middleware = (_, next) => next()): Promise<WebServer> {
    const app = new Koa();
    app.use(async (_, next) => {
      found.push(whatIsLeft());

      try {
        await next();
      } finally {
        found.push(whatIsLeft());
      }
    });
    app
      .use(outside)
      .use(tenantContext())
      .use(schemaRouter({ public: route, tenant: route }));

    return serve(app);
  }

  async function expectFreePool(): Promise<void> {
    const server = await start(async ctx => (ctx.body = await authorsHere(orm)));

    expect((await server.get(hostOf('bob'))).body).to.equal('["Ann of bob"]');
    await expectIdle(database);
  }
});

const NOTHING = { tenant: undefined, schema: undefined, em: undefined };

function whatIsLeft(): unknown {
  return { tenant: currentTenant(), schema: currentSchema(), em: RequestContext.getEntityManager() };
}
