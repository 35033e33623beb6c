import { assertSameTenant, boundToTenant, isSameTenant, runInPublic, runInTenant, tenantContext, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { jwtVerify, SignJWT } from 'jose';
import Koa from 'koa';
import session from 'koa-session';
import { Author } from '../../fixtures/entities/index.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { createLibraries, hostOf } from '../support/web/web-library.ts';
import { serveUntilSpecEnds } from '../support/web/web-server.ts';

onDatabases('sessions and tokens that are bound to their tenant', database => {
  let orm: LibraryOrm;
  const serve = serveUntilSpecEnds();

  before(async () => {
    orm = await openLibrary(database);
    await createLibraries(orm, 'acme', 'bob');
  });

  it('E4 a payload is valid for the tenant that it was bound to, and for nobody else', async () => {
    const ofAcme = await runInTenant('acme', () => boundToTenant({ user: 1 }));
    const ofPublic = await runInPublic(() => boundToTenant({ user: 1 }));

    expect(await runInTenant('acme', () => assertSameTenant(ofAcme))).to.equal(ofAcme);
    expect(await runInPublic(() => isSameTenant(ofPublic))).to.equal(true);

    for (const payload of [
      ofAcme,
      ofPublic,
      { user: 1 },
      { user: 1, tenant: 'bob' },
      { tenant: undefined },
      {},
      null,
      undefined,
      'acme',
      Object.create(ofAcme),
    ]) {
      const error = await failureOf(runInTenant('bob', () => assertSameTenant(payload)));

      expect(error).to.include({ code: 'TENANT_MISMATCH', status: 401, expose: true });
      expect(String(error)).to.not.contain('acme');
    }

    expect(await runInPublic(() => isSameTenant(ofAcme))).to.equal(false);
    expect(await runInTenant('acme', () => isSameTenant(ofPublic))).to.equal(false);
    expect(isSameTenant(ofAcme)).to.equal(false);
    expect(isSameTenant(ofPublic)).to.equal(false);
    expect(await failureOf(async () => boundToTenant({}))).to.have.property('code', 'TENANT_CONTEXT_REQUIRED');
  });

  it('E4 S12 it follows a rename, and is not valid for a later tenant of the same name', async () => {
    await tenants(orm).create({ name: 'Carol', domainUrl: 'carol.test', schemaName: 'carol' });
    const payload = await runInTenant('carol', () => boundToTenant({ user: 1 }));
    await tenants(orm).rename('carol', 'carla');
    await tenants(orm).create({ name: 'Other', domainUrl: 'other.test', schemaName: 'carol' });

    expect(await runInTenant('carla', () => isSameTenant(payload))).to.equal(true);
    expect(await runInTenant('carol', () => isSameTenant(payload))).to.equal(false);
  });

  it('E4 a token of user 1 in one tenant is not user 1 of another, by jose', async () => {
    const secret = new TextEncoder().encode('the same secret for all tenants');
    const signed = (payload: object): Promise<string> =>
      new SignJWT({ ...payload }).setProtectedHeader({ alg: 'HS256' }).setSubject('1').setExpirationTime('1h').sign(secret);
    const koa = new Koa();
    koa.use(tenantContext()).use(async ctx => {
      if (ctx.path === '/sign-in') {
        ctx.body = await signed(boundToTenant({}));
        return;
      }

      const { payload } = await jwtVerify(ctx.get('authorization').slice('Bearer '.length), secret);
      const user = await orm.em.findOneOrFail(Author, { id: Number(assertSameTenant(payload).sub) });
      ctx.body = user.name;
    });
    const server = await serve(koa);
    const token = (await server.get(hostOf('acme'), '/sign-in')).body;
    const as = (host: string, sent: string): Promise<{ readonly status: number; readonly body: string }> =>
      server.get(host, '/me', { headers: { authorization: `Bearer ${sent}` } });

    expect(await as(hostOf('acme'), token)).to.include({ status: 200, body: 'Ann of acme' });
    expect(await as(hostOf('bob'), token)).to.include({ status: 401, body: 'This session or token is not valid here. Sign in again.' });
    // from before the application had tenants
    expect(await as(hostOf('acme'), await signed({}))).to.include({ status: 401 });
  });

  it('E4 a session of one tenant is a new one on another, by koa-session, in the cookie and in a store', async () => {
    for (const stored of [undefined, new Map<string, object>()]) {
      const koa = new Koa();
      koa.keys = ['the same key for all tenants'];
      koa.use(tenantContext());
      koa.use(
        session(
          {
            valid: (_ctx: unknown, value: object) => isSameTenant(value),
            beforeSave: (_ctx: unknown, value: object) => void Object.assign(value, boundToTenant({})),
            ...(stored && {
              store: {
                get: async (key: string) => stored.get(key),
                set: async (key: string, value: object) => void stored.set(key, { ...value }),
                destroy: async (key: string) => void stored.delete(key),
              },
            }),
          },
          koa,
        ),
      );
      koa.use(async ctx => {
        const own = ctx['session'] as { user?: number } | null;

        if (ctx.path === '/sign-in' && own !== null) {
          own.user = 1;
        }

        ctx.body = own?.user === undefined ? 'nobody' : (await orm.em.findOneOrFail(Author, { id: own.user })).name;
      });
      const server = await serve(koa);
      const signedIn = await server.get(hostOf('acme'), '/sign-in');
      const cookie = (signedIn.headers['set-cookie'] ?? []).map(each => each.split(';', 1)[0]).join('; ');
      const as = async (host: string): Promise<string> => (await server.get(host, '/', { headers: { cookie } })).body;

      expect(signedIn.body).to.equal('Ann of acme');
      expect(await as(hostOf('bob'))).to.equal('nobody');
      expect(await as('localhost')).to.equal('nobody');

      if (stored === undefined) {
        expect(await as(hostOf('acme'))).to.equal('Ann of acme');
      }
    }
  });
});
