import Router from '@koa/router';
import { currentSchema, currentTenant, runInPublic, runInTenant, schemaRouter, tenantContext } from '@landlord/mikro-orm';
import type { TenantContextOptions } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { Genre, Library } from '../../../fixtures/entities/index.ts';
import { newLibrary } from '../../support/orm/library-orm.ts';
import { onLibraries } from '../../support/testing/on-libraries.ts';
import { authorsHere } from '../../support/web/web-library.ts';
import { serveUntilSpecEnds, type WebServer } from '../../support/web/web-server.ts';

onLibraries('tenantContext', { publicHosts: ['example.com', 'localhost'] }, libraries => {
  const serve = serveUntilSpecEnds();

  before(async () => {
    const em = libraries.orm.em.fork();
    await em.persistAndFlush([newLibrary('public', { domainUrl: 'front.example.com' }), em.create(Genre, { name: 'Poetry' })]);
  });

  beforeEach(() => {
    libraries.statements.length = 0;
  });

  it('H2 law 10: says at the first request that it was not called, and serves nothing', async () => {
    const koa = new Koa();
    let isServed = false;
    koa.use(tenantContext as never).use(() => void (isServed = true));
    const server = await serve(koa);
    const answer = await server.get('acme.example.com');

    expect(answer.status).to.equal(500);
    expect(isServed).to.equal(false);
    expect(server.errors).to.have.length(1);
    expect(server.errors[0]).to.include({ code: 'NO_TENANT_CONTEXT' });
    expect(String(server.errors[0])).to.contain('koa.use(tenantContext())');
  });

  for (const [code, status, given] of [
    ['SCHEMA_NAME_INVALID', 400, { schemaName: 'No Name' }],
    ['SCHEMA_NAME_RESERVED', 400, { schemaName: 'pg_x' }],
    ['DOMAIN_INVALID', 400, { domainUrl: 'https://x' }],
    ['DOMAIN_RESERVED', 400, { domainUrl: 'localhost' }],
    ['TENANT_ALREADY_EXISTS', 409, { schemaName: 'acme' }],
    ['TENANT_ALREADY_EXISTS', 409, { domainUrl: 'acme.example.com' }],
    ['SCHEMA_ALREADY_EXISTS', 409, { schemaName: 'taken' }],
    ['TENANT_SETTING_REFUSED', 400, { autoDropSchema: true }],
  ] as const) {
    it(`H2 law 10: ${code} of what a visitor has chosen (${Object.keys(given).join()}) is answered with ${status}, and not shown`, async () => {
      await libraries.query('create schema if not exists taken');
      const data = { name: 'New', domainUrl: 'new.example.com', schemaName: 'fresh', ...given };
      const koa = new Koa();
      koa.use(tenantContext()).use(async () => libraries.orm.em.persistAndFlush(new Library(data as never)));
      const server = await serve(koa);
      const answer = await server.get('example.com');

      expect(answer.status, String(server.errors[0])).to.equal(status);
      expect(answer.body).to.equal(status === 400 ? 'Bad Request' : 'Conflict');
      expect(server.errors[0]).to.include({ code, status, expose: false });
      expect(await libraries.query(`select * from public.library where name = 'New'`)).to.deep.equal([]);
    });
  }

  describe('on a known host', () => {
    it('H1 serves the tenant router with the tenant in the state, and leaves the path alone', async () => {
      const server = await start();

      const answer = await server.get('acme.example.com', '/authors/7?sort=name');

      expect(answer.status).to.equal(200);
      expect(JSON.parse(answer.body)).to.deep.equal({
        router: 'tenant',
        path: '/authors/7',
        url: '/authors/7?sort=name',
        tenant: 'acme',
        current: 'acme',
        schema: 'acme',
        authors: ['Ann of acme'],
      });
    });

    it("H1 gives each host its own tenant, and the global em is that tenant's fork", async () => {
      const server = await start();

      expect(JSON.parse((await server.get('bob.example.com', '/authors/1')).body)).to.deep.include({
        tenant: 'bob',
        authors: ['Ann of bob'],
      });
      expect(tablesRead()).to.include('"bob"."author"');
      expect(tablesRead()).to.not.include('"acme"."author"').and.not.include('"public"."author"');
    });

    it('H1 serves the same tenant where it stands twice in an application', async () => {
      const app = new Koa();
      app.use(tenantContext()).use(tenantContext());
      app.use(ctx => {
        ctx.body = `${(ctx.state.tenant as { schemaName: string }).schemaName} ${currentSchema()}`;
      });
      const server = await serve(app);

      expect(await server.get('acme.example.com', '/')).to.deep.include({ status: 200, body: 'acme acme' });
      expect(await server.get('bob.example.com', '/')).to.deep.include({ status: 200, body: 'bob bob' });
    });

    it('H1 gives every request an identity map of its own', async () => {
      const seen: unknown[] = [];
      const server = await start({}, () => seen.push(libraries.orm.em.getContext()));

      await server.get('acme.example.com', '/authors/1');
      await server.get('acme.example.com', '/authors/1');

      expect(seen).to.have.length(2);
      expect(seen[0]).to.not.equal(seen[1]);
    });

    it('H2 serves the public router on a public host, with no tenant', async () => {
      const server = await start();

      const answer = await server.get('example.com', '/authors/7');

      expect(JSON.parse(answer.body)).to.deep.equal({ router: 'public', path: '/authors/7', schema: 'public', genres: ['Poetry'] });
      expect(libraries.statements.join('\n')).to.not.match(/"(acme|bob)"\./);
    });

    it('H2 refuses a tenant entity on a public host, before any SQL, and does not tell the visitor why', async () => {
      const server = await start({}, () => authorsHere(libraries.orm));

      const answer = await server.get('example.com', '/authors/7');

      expect(answer).to.include({ status: 500, body: 'Internal Server Error' });
      expect(server.errors).to.have.length(1);
      expect(server.errors[0]).to.include({ code: 'TENANT_CONTEXT_REQUIRED' });
      expect(libraries.statements.join('\n')).to.not.include('author');
    });

    it('T18 serves the public router on the host of a public tenant, with no tenant', async () => {
      const server = await start();

      const answer = await server.get('front.example.com', '/authors/7');

      expect(JSON.parse(answer.body)).to.deep.equal({ router: 'public', path: '/authors/7', schema: 'public', genres: ['Poetry'] });
    });
  });

  describe('on an unknown host', () => {
    it('H2 answers 404 and touches no tenant table', async () => {
      const server = await start();

      const answer = await server.get('nobody.example.com', '/authors/7');

      expect(answer.status).to.equal(404);
      expect(answer.body).to.equal('Nothing is served on the host "nobody.example.com".');
      expect(answer.headers['content-type']).to.match(/^text\/plain/);
      expect(libraries.statements.join('\n')).to.not.match(/author|"(acme|bob)"\./);
    });

    it('H2 gives the app the error with its code, status and host', async () => {
      const server = await start();

      await server.get('Nobody.Example.com:8080');

      expect(server.errors[0]).to.include({ code: 'HOST_UNKNOWN', status: 404, expose: true, host: 'nobody.example.com' });
    });

    it('H5 answers with `notFoundStatus`', async () => {
      const server = await start({ notFoundStatus: 400 });

      expect((await server.get('nobody.example.com')).status).to.equal(400);
      expect((await server.get('acme.example.com', '/authors/1')).status).to.equal(200);
    });

    it("H5 serves the public router with `notFound: 'public'`, but never on a malformed host", async () => {
      const server = await start({ notFound: 'public' });

      expect(JSON.parse((await server.get('nobody.example.com', '/authors/7')).body)).to.include({ router: 'public', schema: 'public' });
      expect((await server.get('no body', '/authors/7')).status).to.equal(400);
    });

    it('H5 lets a function decide, in no scope', async () => {
      const seen: unknown[] = [];
      const server = await start({
        notFound: ctx => {
          seen.push(currentSchema(), ctx.state.tenant);
          ctx.redirect('https://example.com/');
        },
      });

      const answer = await server.get('nobody.example.com');

      expect(answer.status).to.equal(302);
      expect(answer.headers.location).to.equal('https://example.com/');
      expect(seen).to.deep.equal([undefined, undefined]);
    });

    it('H5 asks the function about no other host', async () => {
      const server = await start({
        notFound: () => {
          throw new Error('asked');
        },
      });

      expect((await server.get('acme.example.com', '/authors/1')).status).to.equal(200);
      expect((await server.get('example.com', '/authors/1')).status).to.equal(200);
      expect((await server.get('no body')).status).to.equal(400);
      expect((await server.get('nobody.example.com')).status).to.equal(500);
    });

    it('H5 serves whom the function says, and refuses to route where it says nobody', async () => {
      const server = await start({
        notFound: (ctx, next) => {
          switch (ctx.path) {
            case '/authors/1':
              return runInTenant('acme', () => next());
            case '/authors/2':
              return runInPublic(() => next());
            default:
              return next();
          }
        },
      });

      expect(JSON.parse((await server.get('nobody.example.com', '/authors/1')).body)).to.deep.include({ schema: 'acme' });
      expect(JSON.parse((await server.get('nobody.example.com', '/authors/2')).body)).to.deep.include({ router: 'public' });
      expect(server.errors).to.have.length(0);
      expect(await server.get('nobody.example.com', '/authors/3')).to.include({ status: 500, body: 'Internal Server Error' });
      expect(server.errors[0]).to.include({ code: 'NO_TENANT_CONTEXT' });
    });
  });

  describe('behind a proxy', () => {
    it('H4 ignores X-Forwarded-Host unless the app trusts its proxy', async () => {
      const server = await start();

      const answer = await server.get('acme.example.com', '/authors/1', { headers: { 'x-forwarded-host': 'bob.example.com' } });

      expect(JSON.parse(answer.body)).to.include({ tenant: 'acme' });
    });

    it('H4 takes X-Forwarded-Host before Host with `app.proxy`', async () => {
      const server = await start({}, undefined, { proxy: true });
      const get = async (forwarded: string | string[] | undefined): Promise<unknown> => {
        const headers = forwarded === undefined ? {} : { 'x-forwarded-host': forwarded };

        return JSON.parse((await server.get('acme.example.com', '/authors/1', { headers })).body).tenant;
      };

      expect(await get('bob.example.com')).to.equal('bob');
      expect(await get('WWW.Bob.Example.com.:8443')).to.equal('bob');
      expect(await get(undefined)).to.equal('acme');
      expect(await get('')).to.equal('acme');
    });

    it('H4 takes the first of several forwarded hosts, in one header or in more', async () => {
      const server = await start({}, undefined, { proxy: true });
      const get = async (...forwarded: string[]): Promise<unknown> => {
        const answer = await server.get('nobody.example.com', '/authors/1', { headers: { 'x-forwarded-host': forwarded } });

        return JSON.parse(answer.body).tenant;
      };

      expect(await get('bob.example.com, acme.example.com')).to.equal('bob');
      expect(await get('bob.example.com', 'acme.example.com')).to.equal('bob');
      expect(await get('bob.example.com, not a host')).to.equal('bob');
    });

    it('H4 answers 400 to a forwarded host that is none, and does not fall back to Host', async () => {
      const server = await start({}, undefined, { proxy: true });

      for (const forwarded of ['not a host', ',acme.example.com', 'a:b:c', 'acme.example.com:port', 'x@acme.example.com', '[', '%61cme']) {
        const answer = await server.get('acme.example.com', '/authors/1', { headers: { 'x-forwarded-host': forwarded } });

        expect(answer.status, forwarded).to.equal(400);
      }
    });
  });

  async function start(
    options: TenantContextOptions = {},
    inRoute: () => unknown = () => undefined,
    config: { proxy?: boolean } = {},
  ): Promise<WebServer> {
    const app = new Koa(config);
    const publicRouter = new Router();
    publicRouter.get('/authors/:id', async ctx => {
      await inRoute();
      const genres = await libraries.orm.em.find(Genre, {});
      ctx.body = {
        router: 'public',
        path: ctx.path,
        schema: currentSchema(),
        tenant: ctx.state.tenant,
        genres: genres.map(({ name }) => name),
      };
    });
    const tenantRouter = new Router();
    tenantRouter.get('/authors/:id', async ctx => {
      await inRoute();
      ctx.body = {
        router: 'tenant',
        path: ctx.path,
        url: ctx.url,
        tenant: ctx.state.tenant?.schemaName,
        current: currentTenant()?.schemaName,
        schema: currentSchema(),
        authors: await authorsHere(libraries.orm),
      };
    });
    app.use(tenantContext(options)).use(schemaRouter({ public: publicRouter, tenant: tenantRouter }));

    return serve(app);
  }

  function tablesRead(): string {
    return libraries.statements.filter(statement => /\bfrom "/.test(statement)).join('\n');
  }
});
