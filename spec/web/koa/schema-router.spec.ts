import Router from '@koa/router';
import { currentSchema, OrmSelectionError, RoutingError, schemaRouter, tenantContext, type RouterLike } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { expect } from 'chai';
import Koa from 'koa';
import compose from 'koa-compose';
import { Genre } from '../../../fixtures/entities/index.ts';
import { emptyPglite } from '../../support/databases/empty-pglite.ts';
import { openLibrary } from '../../support/orm/library-orm.ts';
import { onLibraries } from '../../support/testing/on-libraries.ts';
import { authorsHere, hostOf } from '../../support/web/web-library.ts';
import { serveUntilSpecEnds, type WebServer } from '../../support/web/web-server.ts';

const serve = serveUntilSpecEnds();

async function start(...middleware: Koa.Middleware[]): Promise<WebServer> {
  const app = new Koa();
  middleware.forEach(each => app.use(each));

  return serve(app);
}

onLibraries('schemaRouter', {}, libraries => {
  const forms: Record<string, (router: Router) => RouterLike> = {
    'a router': router => router,
    'the routes of a router': router => router.routes(),
    'a plain middleware': router => async (ctx, next) => router.routes()(ctx, next),
    'routes composed with allowedMethods': router => compose([router.routes(), router.allowedMethods()]),
  };

  for (const [form, given] of Object.entries(forms)) {
    it(`H8 gives each scope its own of two routers with the same path: ${form}`, async () => {
      const server = await start(tenantContext(), schemaRouter({ public: given(routerOf('public')), tenant: given(routerOf('tenant')) }));

      expect((await server.get('localhost', '/books/1')).body).to.equal('public 1 public');
      expect((await server.get(hostOf('acme'), '/books/1')).body).to.equal('tenant 1 acme');
      expect((await server.get(hostOf('bob'), '/books/2')).body).to.equal('tenant 2 bob');
    });
  }

  it('H8 serves no route of the other router, and goes on to what stands behind where its own has none', async () => {
    const server = await start(
      tenantContext(),
      schemaRouter({ public: routerOf('public', '/only-public'), tenant: routerOf('tenant', '/only-tenant') }),
      ctx => {
        ctx.body = `behind ${currentSchema()}`;
      },
    );

    expect((await server.get('localhost', '/only-public')).body).to.equal('public undefined public');
    expect((await server.get('localhost', '/only-tenant')).body).to.equal('behind public');
    expect((await server.get(hostOf('acme'), '/only-tenant')).body).to.equal('tenant undefined acme');
    expect((await server.get(hostOf('acme'), '/only-public')).body).to.equal('behind acme');
  });

  it('H8 answers 405 and 501 by the allowedMethods of the router that serves', async () => {
    const publicRouter = routerOf('public');
    const tenantRouter = routerOf('tenant').post('/books/:id', ctx => {
      ctx.body = 'posted';
    });
    const server = await start(
      tenantContext(),
      schemaRouter({
        public: compose([publicRouter.routes(), publicRouter.allowedMethods()]),
        tenant: compose([tenantRouter.routes(), tenantRouter.allowedMethods()]),
      }),
    );
    const ask = async (host: string, method: string): Promise<unknown> => {
      const { status, headers } = await server.get(host, '/books/1', { method });

      return [status, headers.allow];
    };

    expect(await ask('localhost', 'POST')).to.deep.equal([405, 'HEAD, GET']);
    expect(await ask(hostOf('acme'), 'POST')).to.deep.equal([200, undefined]);
    expect(await ask(hostOf('acme'), 'DELETE')).to.deep.equal([405, 'HEAD, GET, POST']);
    expect(await ask(hostOf('acme'), 'COPY')).to.deep.equal([501, 'HEAD, GET, POST']);
  });

  it('H8 refuses at once what is no router', () => {
    const router = routerOf('public');

    for (const wrong of [undefined, null, 'router', 1, {}, [], [router.routes()], new Koa(), { routes: [] }]) {
      for (const name of ['public', 'tenant']) {
        const options = { public: router, tenant: router, [name]: wrong as unknown as RouterLike };

        expect(() => schemaRouter(options), typeof wrong)
          .to.throw(RoutingError, new RegExp(`\`${name}\` of schemaRouter\\(\\).*Pass \`router\\.routes\\(\\)\``))
          .with.property('code', 'NOT_A_ROUTER');
      }
    }
  });

  it('H8 refuses a request outside of any scope, and does not tell the visitor why', async () => {
    const server = await start(schemaRouter({ public: routerOf('public'), tenant: routerOf('tenant') }), tenantContext());

    expect(await server.get(hostOf('acme'), '/books/1')).to.include({ status: 500, body: 'Internal Server Error' });
    expect(server.errors).to.have.length(1);
    expect(server.errors[0]).to.be.instanceOf(RoutingError).and.include({ code: 'NO_TENANT_CONTEXT' });
  });

  it('H1 asks which ORM is meant where two are live, and serves the one it is given', async () => {
    const pglite = await emptyPglite();
    const other = await openLibrary({
      atEnd: () => undefined,
      options: () => ({ driver: PgliteDriver, dbName: 'memory://', driverOptions: { pglite } }),
    });

    try {
      const unsaid = await start(tenantContext(), ctx => void (ctx.body = 'served'));

      expect(await unsaid.get(hostOf('acme'))).to.include({ status: 500, body: 'Internal Server Error' });
      expect(unsaid.errors[0]).to.be.instanceOf(OrmSelectionError).and.include({ code: 'SEVERAL_ORMS' });

      const said = await start(
        tenantContext({ orm: libraries.orm }),
        schemaRouter({
          public: routerOf('public'),
          tenant: async ctx => {
            ctx.body = await authorsHere(libraries.orm);
          },
        }),
      );
      const ofOther = await start(tenantContext({ orm: other }), schemaRouter({ public: routerOf('public'), tenant: routerOf('tenant') }));

      expect((await said.get(hostOf('acme'))).body).to.equal('["Ann of acme"]');
      expect((await ofOther.get(hostOf('acme'))).status).to.equal(404);
      expect((await ofOther.get('localhost', '/books/1')).status).to.equal(200);
    } finally {
      await other.close();
      await pglite.close();
    }
  });

  it('H1 refuses an ORM without tenants', async () => {
    const plain = await MikroORM.init({ driver: PgliteDriver, dbName: 'memory://', entities: [Genre] });
    const server = await start(tenantContext({ orm: plain }), ctx => void (ctx.body = 'served'));

    expect(await server.get(hostOf('acme'))).to.include({ status: 500, body: 'Internal Server Error' });
    expect(server.errors[0]).to.include({ code: 'ORM_WITHOUT_TENANTS' });
    await plain.close();
  });
});

describe('tenantContext without an ORM', () => {
  it('H1 throws on a request, tells the app, and not the visitor', async () => {
    const server = await start(tenantContext(), ctx => void (ctx.body = 'served'));

    expect(await server.get('acme.example.com')).to.include({ status: 500, body: 'Internal Server Error' });
    expect(server.errors).to.have.length(1);
    expect(server.errors[0]).to.be.instanceOf(OrmSelectionError).and.include({ code: 'NO_ORM' });
  });
});

function routerOf(name: string, path = '/books/:id'): Router {
  return new Router().get(path, ctx => {
    ctx.body = `${name} ${ctx.params['id']} ${currentSchema()}`;
  });
}
