import { runInTenant, schemaRouter, tenantContext, tenants } from '@landlord/mikro-orm';
import Router from '@koa/router';
import { expect } from 'chai';
import Koa from 'koa';
import session from 'koa-session';
import { createAccountApp } from '../../../docs/examples/bookshop/account-app.ts';
import { Book, Client, Genre, User } from '../../../docs/examples/bookshop/entities.ts';
import { cacheKey, Session, sessionStore } from '../../../docs/examples/bookshop/session-store.ts';
import { issueToken, issueUnbound, userOfToken, userOfUnbound } from '../../../docs/examples/bookshop/tokens.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { serve, type WebServer } from '../../support/web/web-server.ts';

onDatabases('the page on sessions and tokens', database => {
  let orm: SpecOrm;
  let ann: User;

  before(async () => {
    orm = await openBookshop(database, {}, { entities: [Client, Genre, Book, User, Session] });
    await Promise.all([createShop('acme'), createShop('bob')]);

    for (const [schema, email] of [
      ['acme', 'ann@acme.org'],
      ['bob', 'rob@bob.org'],
    ] as const) {
      await runInTenant(schema, em => em.persistAndFlush(em.create(User, { email })));
      await database.query(`create table ${schema}.session (id text primary key, data jsonb not null, expires_at timestamptz not null)`);
    }

    ann = await runInTenant('acme', em => em.findOneOrFail(User, { email: 'ann@acme.org' }));
  });

  it('H1 a token that names the user alone is somebody else at another tenant, as the page warns', async () => {
    const token = await runInTenant('acme', () => issueUnbound(ann));

    expect((await runInTenant('acme', em => userOfUnbound(em, token))).email).to.equal('ann@acme.org');
    expect((await runInTenant('bob', em => userOfUnbound(em, token))).email).to.equal('rob@bob.org');
  });

  it('H1 a token that names the tenant is refused by another, and survives a rename', async () => {
    const token = await runInTenant('acme', () => issueToken(ann));

    expect((await runInTenant('acme', em => userOfToken(em, token))).email).to.equal('ann@acme.org');
    expect(String(await failureOf(runInTenant('bob', em => userOfToken(em, token))))).to.contain('unexpected "aud" claim value');
    await tenants().rename('acme', 'acme_books');
    expect((await runInTenant('acme_books', em => userOfToken(em, token))).email).to.equal('ann@acme.org');
    await tenants().rename('acme_books', 'acme');
  });

  it('H1 a request with the token or the session of another tenant gets 401', async () => {
    const server = await serve(createAccountApp(orm.em), database);
    const login = await server.get('acme.example.com', '/login?email=ann@acme.org', { method: 'POST' });
    const cookie = cookiesOf(login);
    const bearer = { authorization: `Bearer ${login.body}` };
    const ask = async (host: string, path: string, headers: Record<string, string>): Promise<unknown[]> => {
      const { status, body } = await server.get(host, path, { headers });

      return [status, body];
    };

    expect(await ask('acme.example.com', '/api/me', bearer)).to.deep.equal([200, 'ann@acme.org']);
    expect(await ask('bob.example.com', '/api/me', bearer)).to.deep.equal([401, 'Unauthorized']);
    expect(await ask('acme.example.com', '/me', { cookie })).to.deep.equal([200, 'ann@acme.org']);
    expect(await ask('bob.example.com', '/me', { cookie })).to.deep.equal([401, 'Unauthorized']);
    expect(await ask('bob.example.com', '/me', {})).to.deep.equal([401, 'Unauthorized']);
  });

  it('H1 a session that is stored in the tenant’s schema is not found by another', async () => {
    const koa = new Koa();
    koa.keys = ['secret'];
    const router = new Router();
    router.post('/', ctx => {
      ctx.session!['user'] = ann.id;
      ctx.body = 'in';
    });
    router.get('/', ctx => {
      ctx.body = String(ctx.session!['user']);
    });
    koa.use(tenantContext());
    koa.use(session({ store: sessionStore(orm.em) }, koa));
    koa.use(schemaRouter({ public: new Router().routes(), tenant: router.routes() }));
    const server: WebServer = await serve(koa, database);
    const cookie = cookiesOf(await server.get('acme.example.com', '/', { method: 'POST' }));

    expect((await server.get('acme.example.com', '/', { headers: { cookie } })).body).to.equal(String(ann.id));
    expect((await server.get('bob.example.com', '/', { headers: { cookie } })).body).to.equal('undefined');
    expect(
      await database.query('select (select count(*)::int from acme.session) acme, (select count(*)::int from bob.session) bob'),
    ).to.deep.equal([{ acme: 1, bob: 0 }]);
    expect(await runInTenant('acme', async () => cacheKey('me'))).to.equal('acme:me');
    expect(server.errors).to.deep.equal([]);
  });
});

function cookiesOf({ headers }: { readonly headers: Readonly<Record<string, string | string[] | undefined>> }): string {
  return [headers['set-cookie'] ?? []]
    .flat()
    .map(each => each.split(';')[0])
    .join('; ');
}
