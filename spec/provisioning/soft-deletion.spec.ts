import { AsyncLocalStorage } from 'node:async_hooks';
import {
  acrossTenants,
  bySubdomain,
  currentSchema,
  forEachTenant,
  isHostServed,
  runInTenant,
  TenantMixin,
  tenants,
  type DeletedTenant,
  type TenantService,
} from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases, type SpecDatabase } from '../support/databases/database.ts';
import { newFirm, openDomainOrm, Firm, FirmDomain } from '../support/orm/domain-orm.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';

onDatabases('a tenant that is deleted softly', database => {
  let orm: LibraryOrm;
  let service: TenantService<Library>;
  let row: Library;
  let deleted: DeletedTenant;

  before(async () => {
    orm = await openLibrary(database);
    service = tenants<Library>(orm);

    for (const name of ['acme', 'bob']) {
      await service.create({ name, schemaName: name, domainUrl: `${name}.example.com` });
      await runInTenant(name, em => em.persistAndFlush(em.create(Author, { name: `Ann of ${name}` })));
    }

    row = await orm.em.fork().findOneOrFail(Library, { schemaName: 'acme' });
    // what a process holds of it has to go too
    expect(await isHostServed('acme.example.com', { orm })).to.equal(true);
    await service.drop('acme', { soft: true });
    [deleted] = (await service.listDeleted()) as [DeletedTenant];
  });

  it('L3 is unknown to every path: by host, name, row, key, condition, its new name and new host', async () => {
    for (const host of ['acme.example.com', `deleted:${deleted.id}`, `${deleted.id}.example.com`]) {
      expect(await isHostServed(host, { orm }), host).to.equal(false);
    }

    for (const tenant of ['acme', deleted.id, row]) {
      await refusal(
        runInTenant(tenant, () => currentSchema(), { orm }),
        'TENANT_UNKNOWN',
      );
      await refusal(service.drop(tenant), 'TENANT_UNKNOWN');
      await refusal(service.rename(tenant, 'other'), 'TENANT_UNKNOWN');
      await refusal(service.provision(tenant), 'TENANT_UNKNOWN');
    }

    expect((await forEachTenant(() => currentSchema(), { orm })).map(({ value }) => value)).to.deep.equal(['bob']);
    expect(await forEachTenant(() => currentSchema(), { orm, where: { id: row.id } })).to.deep.equal([]);
    expect((await service.list()).map(({ schemaName }) => schemaName)).to.deep.equal(['bob']);
  });

  it('L3, L7 is in no run and no report, and its schema is no orphan', async () => {
    const status = await service.status();

    expect([status.tenants.map(({ schemaName }) => schemaName), status.orphans]).to.deep.equal([['bob'], []]);
    expect(await service.migrate()).to.include({ total: 1 });
    await refusal(service.migrate({ only: [deleted.id] }), 'TENANT_UNKNOWN');
    expect((await service.drift()).notCompared).to.deep.equal([]);
    const rows = await acrossTenants(Author, {}, { reason: 'a spec', orm }).toArray();
    expect(rows.map(({ tenant, row: { name } }) => [tenant, name])).to.deep.equal([['bob', 'Ann of bob']]);
  });

  it('L3 can be reached by no flush of its row: neither renamed nor dropped, nor entered', async () => {
    const find = async (em = orm.em.fork()): Promise<[typeof em, Library]> => [em, await em.findOneOrFail(Library, { id: row.id })];
    const [em, renamed] = await find();
    renamed.schemaName = 'stolen';
    expect(await refusal(em.flush(), 'SCHEMA_PROTECTED'))
      .to.have.property('message')
      .that.contains('tenants().restore(');
    const [other, removed] = await find();
    removed.autoDropSchema = true;
    await refusal(other.removeAndFlush(removed), 'SCHEMA_PROTECTED');
    await refusal(service.create({ name: 'x', schemaName: deleted.id, domainUrl: 'x.example.com' }), 'SCHEMA_NAME_RESERVED');
    await refusal(service.rename('bob', deleted.id), 'SCHEMA_NAME_RESERVED');
    expect(await schemaNames(database)).to.have.members(['bob', deleted.id]);
  });

  it('L3 leaves its name and host to a new tenant, which sees none of its rows, and comes back under another name beside it', async () => {
    await service.create({ name: 'the next', schemaName: 'acme', domainUrl: 'acme.example.com' });
    expect(await runInTenant('acme', inner => inner.find(Author, {}), { orm })).to.deep.equal([]);
    expect(await refusal(service.restore('acme'), 'TENANT_ALREADY_EXISTS')).to.include({ property: 'schemaName' });
    expect(await refusal(service.restore('acme', { schemaName: 'acme_2' }), 'TENANT_ALREADY_EXISTS')).to.include({ property: 'domainUrl' });

    const back = await service.restore('acme', { schemaName: 'acme_2', domainUrl: 'acme-2.example.com' });
    expect(back).to.deep.include({ id: row.id, name: 'acme', schemaName: 'acme_2', domainUrl: 'acme-2.example.com' });
    expect((await runInTenant(back, inner => inner.find(Author, {}), { orm })).map(({ name }) => name)).to.deep.equal(['Ann of acme']);
    expect(await runInTenant('acme', inner => inner.find(Author, {}), { orm })).to.deep.equal([]);
    expect(await isHostServed('acme-2.example.com', { orm })).to.equal(true);
    expect(await service.listDeleted()).to.deep.equal([]);
    expect(await storedTenants(database)).to.deep.equal(['acme', 'acme_2', 'bob']);
    await refusal(service.restore(deleted.id), 'DELETED_TENANT_UNKNOWN');
  });

  it('L3 several of one name are told apart by their ids, and a purge of old ones leaves young ones', async () => {
    await service.drop('acme', { soft: true });
    await service.create({ name: 'third', schemaName: 'acme', domainUrl: 'acme.example.com' });
    await service.drop('acme', { soft: true });
    const both = await service.listDeleted();
    const error = await refusal(service.restore('acme'), 'DELETED_TENANT_AMBIGUOUS');

    expect(error).to.have.deep.property(
      'ids',
      both.map(({ id }) => id),
    );
    expect(both[0]?.deletedAt?.getTime()).to.be.greaterThan(both[1]?.deletedAt?.getTime() ?? Infinity);
    expect(await service.purge({ olderThan: '30d' })).to.deep.equal({ purged: [], failed: [] });
    await refusal(service.purge({ olderThan: 'soon' }), 'RUN_USAGE');
    await service.restore(both[1]!);
    expect(await runInTenant('acme', inner => inner.count(Author), { orm })).to.equal(0);
    expect((await service.purge({ olderThan: 0, only: ['acme'] })).purged).to.deep.equal([{ id: both[0]?.id, schemaName: 'acme' }]);
    expect(await storedTenants(database)).to.deep.equal(['acme', 'acme_2', 'bob']);
    expect(await schemaNames(database)).to.deep.equal(['acme', 'acme_2', 'bob']);
  });

  it('L3 the deletion and the restoring are rolled back with the transaction that they are in', async () => {
    for (const action of [() => service.drop('bob', { soft: true }), () => service.restore('bob')]) {
      const before = [await schemaNames(database), await storedTenants(database), await service.listDeleted()];
      const failure = orm.em.fork().transactional(async () => {
        await action();
        throw new Error('undone');
      });

      expect(await failure.catch((error: unknown) => error)).to.have.property('message', 'undone');
      expect([await schemaNames(database), await storedTenants(database), await service.listDeleted()]).to.deep.equal(before);
      await action();
    }

    expect((await runInTenant('bob', inner => inner.find(Author, {}), { orm })).map(({ name }) => name)).to.deep.equal(['Ann of bob']);
  });

  it('L3 work that began before the deletion ends with TENANT_CHANGED, and reads nothing of the next tenant of the name', async () => {
    const scope = runInTenant(
      'bob',
      async inner => {
        await outside();

        return inner.find(Author, {});
      },
      { orm },
    );
    await refusal(scope, 'TENANT_CHANGED');
    expect(await service.listDeleted()).to.have.length(1);
    expect(await service.purge()).to.have.nested.property('purged.length', 1);
  });

  // as another process would: from inside of a tenant, none can be deleted
  async function outside(): Promise<void> {
    await OUTSIDE(() => service.drop('bob', { soft: true }));
    await OUTSIDE(() => service.create({ name: 'bob', schemaName: 'bob', domainUrl: 'bob.example.com' }));
  }

  it('L3 one without a schema is refused, as there is nothing to bring back, and so is one whose name is in a function', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('empty', { autoCreateSchema: false }));
    await refusal(service.drop('empty', { soft: true }), 'SCHEMA_MISSING');
    await service.create({ name: 'carl', schemaName: 'carl', domainUrl: 'carl.example.com' });
    await database.query(`create function carl.all_authors() returns bigint language sql as 'select count(*) from carl.author'`);
    expect(await refusal(service.drop('carl', { soft: true }), 'SCHEMA_IN_USE')).to.have.deep.property('dependents', [
      'function carl.all_authors()',
    ]);
    await service.drop('carl', { soft: true, force: true });
    await refusal(service.restore('carl', { schemaName: 'carla', domainUrl: 'carla.example.com' }), 'SCHEMA_IN_USE');
    expect(await service.restore('carl')).to.include({ schemaName: 'carl' });
  });

  it('L3 the tools that begin anew drop it too', async () => {
    await service.drop('carl', { soft: true, force: true });
    await (service as unknown as { dropSchemas(others: readonly string[]): Promise<string[]> }).dropSchemas([]);

    expect(await schemaNames(database)).to.deep.equal([]);
  });
});

/** Runs work outside of every scope. */
const OUTSIDE = AsyncLocalStorage.snapshot();

class Shop extends TenantMixin {
  slug!: string;
}

const ShopSchema = defineEntity({ class: Shop, extends: TenantMixin, properties: { slug: p.string().unique() } });

onDatabases('a tenant with a key of its own that is deleted softly', database => {
  it('L3 is found by no resolver, though its row has the key still', async () => {
    const orm = await openNoteOrm(database, ShopSchema.class);
    const service = tenants<Shop>(orm);
    await service.create({ slug: 'cakes', schemaName: 'cakes', domainUrl: 'cakes.example.com' });
    const isServed = (): Promise<boolean> =>
      isHostServed('cakes.example.org', { orm, resolvers: [bySubdomain('example.org', { property: 'slug' })] });
    expect(await isServed()).to.equal(true);
    await service.drop('cakes', { soft: true });

    expect(await isServed()).to.equal(false);
    await service.restore('cakes');
    expect(await isServed()).to.equal(true);
  });
});

onDatabases('a tenant with further hosts that is deleted softly', database => {
  it('L3 leaves its hosts to others, gets them again with all that their rows hold, and is not restored to hosts of others', async () => {
    const orm = await openDomainOrm(database);
    const service = tenants<Firm>(orm);
    await orm.em.fork().persistAndFlush([newFirm('acme'), newFirm('bob')]);
    const add = async (name: string, ...hosts: string[]): Promise<void> => {
      const em = orm.em.fork();
      const tenant = await em.findOneOrFail(Firm, { schemaName: name });
      await em.persistAndFlush(hosts.map(domain => em.create(FirmDomain, { domain, tenant, note: `note on ${domain}` })));
    };
    await add('acme', 'shop.acme.com', 'acme.com');
    const rows = (): Promise<object[]> => database.query('select * from domain order by id');
    const [before, hosts] = [await rows(), ['acme.example.com', 'shop.acme.com', 'acme.com']];
    await service.drop('acme', { soft: true });

    for (const host of [...hosts, ...(await database.query<{ domain: string }>('select domain from domain')).map(({ domain }) => domain)]) {
      expect(await isHostServed(host, { orm }), host).to.equal(false);
    }

    await add('bob', 'acme.com');
    expect(await isHostServed('acme.com', { orm })).to.equal(true);
    await refusal(service.restore('acme'), 'HOST_TAKEN');
    expect(await service.listDeleted()).to.have.length(1);
    await database.query(`delete from domain where domain = 'acme.com'`);
    await service.restore('acme');

    expect(await rows()).to.deep.equal(before);
    expect(await Promise.all(hosts.map(host => isHostServed(host, { orm })))).to.deep.equal([true, true, true]);
    await service.drop('acme', { soft: true });
    await service.purge({ only: ['acme'] });
    expect(await rows()).to.deep.equal([]);
  });
});

onDatabases(
  'a tenant with a role that is deleted softly',
  database => {
    it('L3 takes its role along, and a purge leaves no row, schema, role or history', async () => {
      const prefix = `soft_${process.pid}_`;
      const orm = await openLibrary(database, { roles: { prefix } });
      const service = tenants<Library>(orm);
      const roles = async (): Promise<string[]> =>
        (
          await database.query<{ name: string }>('select rolname::text as name from pg_roles where starts_with(rolname::text, $1)', [
            prefix,
          ])
        ).map(({ name }) => name.slice(prefix.length));
      await service.create({ name: 'acme', schemaName: 'acme', domainUrl: 'acme.example.com' });
      await service.drop('acme', { soft: true });
      const [deleted] = await service.listDeleted();
      expect(await roles()).to.deep.equal([deleted?.id]);
      await service.create({ name: 'acme', schemaName: 'acme', domainUrl: 'acme.example.com' });
      expect((await service.purge()).failed).to.deep.equal([]);

      expect(await roles()).to.deep.equal(['acme']);
      expect(await leftOf(database, deleted?.id ?? '')).to.deep.equal([]);
      await service.drop('acme');
      expect(await roles()).to.deep.equal([]);
    });
  },
  ['postgresql', 'pglite'],
);

/** What of the database has the name. */
async function leftOf(database: SpecDatabase, name: string): Promise<object[]> {
  return database.query(
    `select nspname::text as name from pg_namespace where nspname = $1 union all select schema_name from public.library where schema_name = $1
     union all select rolname::text from pg_roles where rolname like '%' || $1 union all select relname::text from pg_class where relname = $1`,
    [name],
  );
}
