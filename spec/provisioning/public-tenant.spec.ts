import {
  currentTenant,
  forEachTenant,
  runInTenant,
  SCHEMA_COMMENT,
  schemaRouter,
  tenantContext,
  TenantMixin,
  tenants,
} from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import Koa from 'koa';
import { request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, schemasWith, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';

class Site extends TenantMixin {}

const SiteSchema = defineEntity({ class: Site, extends: TenantMixin, properties: { note: p.string().nullable() } });

onDatabases('the public tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { autoDropSchema: true, publicHosts: ['www.libraries.example'] });
    await orm.em.fork().persistAndFlush([newLibrary('public', { domainUrl: 'front.example.com' }), newLibrary('acme')]);
  });

  it('T18 is stored without a schema, and without tables of tenants in public', async () => {
    expect(await storedTenants(database)).to.deep.equal(['acme', 'public']);
    expect(await schemaNames(database)).to.deep.equal(['acme']);
    expect(await schemasWith(database, 'book')).to.deep.equal(['acme']);
  });

  it('T18 gives the public scope', async () => {
    const tenant = await orm.em.fork().findOneOrFail(Library, { schemaName: 'public' });

    await runInTenant(tenant, async em => {
      expect(currentTenant()).to.equal(undefined);
      expect(await em.count(Library)).to.equal(2);
      expect(await refusal(em.count(Author))).to.include({ code: 'TENANT_CONTEXT_REQUIRED' });
    });
  });

  it('T18 serves the public routes on its host', async () => {
    const app = new Koa();
    app.use(tenantContext({ orm }));
    app.use(
      schemaRouter({ public: ctx => void (ctx.body = 'public'), tenant: ctx => void (ctx.body = currentTenant({ orm })?.schemaName) }),
    );
    const server = app.listen(0, '127.0.0.1');

    try {
      await new Promise(resolve => server.once('listening', resolve));
      const get = async (host: string): Promise<string> => {
        const { port } = server.address() as AddressInfo;
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
          request({ host: '127.0.0.1', port, headers: { host, connection: 'close' } }, resolve)
            .on('error', reject)
            .end();
        });

        return (await response.setEncoding('utf8').toArray()).join('');
      };

      expect(await get('front.example.com')).to.equal('public');
      expect(await get('acme.example.com')).to.equal('acme');
    } finally {
      await new Promise(resolve => server.close(resolve));
    }
  });

  it('T18 is no stop of a round over the tenants, and not migrated', async () => {
    expect((await forEachTenant(() => currentTenant()?.schemaName)).map(outcome => outcome.schemaName)).to.deep.equal(['acme']);
    expect((await tenants(orm).list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme']);
    expect((await tenants(orm).migrate()).total).to.equal(1);
    expect((await tenants(orm).status()).tenants.map(({ schemaName }) => schemaName)).to.deep.equal(['acme']);
  });

  it('T18 may have a host of `publicHosts`, which no other tenant may', async () => {
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Library, { schemaName: 'public' });
    tenant.domainUrl = 'libraries.example';
    await em.flush();
    tenant.domainUrl = 'front.example.com';
    await em.flush();
    const other = newLibrary('bob', { domainUrl: 'libraries.example' });

    expect(await refusal(orm.em.fork().persistAndFlush(other))).to.include({ code: 'DOMAIN_RESERVED' });
  });

  it('T18 is there once', async () => {
    const second = newLibrary('public', { domainUrl: 'second.example.com' });

    expect(await refusal(orm.em.fork().persistAndFlush(second))).to.include({ code: 'TENANT_ALREADY_EXISTS', property: 'schemaName' });
  });

  it('T18 is refused a schema of its own', async () => {
    const tenant = await orm.em.fork().findOneOrFail(Library, { schemaName: 'public' });

    expect(await refusal(tenants(orm).provision(tenant))).to.include({ code: 'SCHEMA_NAME_RESERVED', schemaName: 'public' });
    expect(await schemasWith(database, 'book')).to.deep.equal(['acme']);
  });

  it('T16 T18 leaves the public schema where it is deleted with `autoDropSchema`', async () => {
    const em = orm.em.fork();
    await em.removeAndFlush(await em.findOneOrFail(Library, { schemaName: 'public' }));

    expect(await storedTenants(database)).to.deep.equal(['acme']);
    expect(await schemasWith(database, 'library')).to.deep.equal(['public']);
  });
});

onDatabases('the public tenant of another public schema', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, SiteSchema.class, { publicSchema: 'shared', autoDropSchema: true });
  });

  it('T18 has the name of that schema, and public is no name of a tenant all the same', async () => {
    const em = orm.em.fork();
    const front = new Site({ schemaName: 'shared', domainUrl: 'front.example.com' });
    await em.persistAndFlush([front, new Site({ schemaName: 'acme', domainUrl: 'acme.example.com' })]);

    expect(await schemasWith(database, 'site')).to.deep.equal(['shared']);
    expect(await schemasWith(database, 'note')).to.deep.equal(['acme']);
    expect(await schemaNames(database)).to.deep.equal(['acme', 'shared']);
    const named = new Site({ schemaName: 'public', domainUrl: 'public.example.com' });
    expect(await refusal(orm.em.fork().persistAndFlush(named))).to.include({ code: 'SCHEMA_NAME_RESERVED', schemaName: 'public' });
    // also where its comment says that the library made it
    await database.query(`comment on schema shared is '${SCHEMA_COMMENT}'`);
    const error = await refusal(tenants(orm).drop(front));
    expect(error).to.include({ code: 'SCHEMA_PROTECTED', schemaName: 'shared' });
    expect(error.message).to.include('it belongs to the whole database, not to a tenant');
    await em.removeAndFlush(front);
    expect(await schemasWith(database, 'site')).to.deep.equal(['shared']);
  });
});
