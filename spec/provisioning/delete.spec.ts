import { runInTenant, TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

class Guest extends TenantMixin {
  static override autoDropSchema = true;
}

const GuestSchema = defineEntity({ class: Guest, extends: TenantMixin, properties: { note: p.string().nullable() } });

onDatabasesAndPooler('deleting a tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
  });

  it('T15 keeps the schema with its rows, so that it can be looked into', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('kept'), newLibrary('neighbour')]);
    await runInTenant('kept', em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));
    const em = orm.em.fork();
    await em.removeAndFlush(await em.findOneOrFail(Library, { schemaName: 'kept' }));

    expect(await storedTenants(database))
      .to.include('neighbour')
      .and.not.to.include('kept');
    expect(await database.query('select name from kept.author')).to.deep.equal([{ name: 'Ann' }]);
    expect((await tenants(orm).status()).orphans).to.deep.equal(['kept']);
  });

  it('T15 drops the schema of the tenant that says so, and no other', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('gone'), newLibrary('stays')]);
    const em = orm.em.fork();
    const [gone, stays] = await em.find(Library, { schemaName: ['gone', 'stays'] }, { orderBy: { schemaName: 'asc' } });
    Object.assign(gone ?? {}, { autoDropSchema: true });
    await em.removeAndFlush([gone, stays].filter(tenant => tenant !== undefined));

    expect(await schemaNames(database))
      .to.include('stays')
      .and.not.to.include('gone');
    expect(await storedTenants(database)).not.to.include.members(['gone', 'stays']);
  });

  it('T15 keeps row and schema of a delete that is rolled back', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('undone'));
    await rollBackAfter(orm.em.fork(), async em => {
      const tenant = await em.findOneOrFail(Library, { schemaName: 'undone' });
      tenant.autoDropSchema = true;
      await em.remove(tenant).flush();
      expect(await em.execute(`select 1 from information_schema.schemata where schema_name = 'undone'`)).to.deep.equal([]);
    });

    expect(await storedTenants(database)).to.include('undone');
    expect(await schemaNames(database)).to.include('undone');
  });

  it('T15 makes room in one flush for a tenant of the same name', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('phoenix'));
    await runInTenant('phoenix', em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));
    const em = orm.em.fork();
    const old = await em.findOneOrFail(Library, { schemaName: 'phoenix' });
    em.remove(old).persist(newLibrary('phoenix'));
    expect(await refusal(em.flush())).to.include({ code: 'SCHEMA_ALREADY_EXISTS' });
    expect(await runInTenant('phoenix', scoped => scoped.count(Author))).to.equal(1);

    const again = orm.em.fork();
    const dropped = await again.findOneOrFail(Library, { schemaName: 'phoenix' });
    dropped.autoDropSchema = true;
    again.remove(dropped).persist(newLibrary('phoenix'));
    await again.flush();

    expect(await runInTenant('phoenix', scoped => scoped.count(Author))).to.equal(0);
  });
});

onDatabasesAndPooler('deleting a tenant with `autoDropSchema: true`', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { autoDropSchema: true });
  });

  it("T15 drops every schema of a bulk delete, and no neighbour's", async () => {
    await orm.em.fork().persistAndFlush(['one', 'two', 'three', 'other'].map(name => newLibrary(name)));
    const em = orm.em.fork();
    await em.remove(await em.find(Library, { schemaName: { $ne: 'other' } })).flush();

    expect(await storedTenants(database)).to.deep.equal(['other']);
    expect(await schemaNames(database)).to.deep.equal(['other']);
  });

  it('T15 keeps the schema of the tenant that says so', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('spared'));
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Library, { schemaName: 'spared' });
    tenant.autoDropSchema = false;
    await em.removeAndFlush(tenant);

    expect(await storedTenants(database)).not.to.include('spared');
    expect(await schemaNames(database)).to.include('spared');
  });

  it('T15 drops the schema of a tenant that was not loaded, or not with its name', async () => {
    const [reference, partial] = [newLibrary('reference'), newLibrary('partial')];
    await orm.em.fork().persistAndFlush([reference, partial]);
    const em = orm.em.fork();
    em.remove(em.getReference(Library, reference.id));
    em.remove(await em.findOneOrFail(Library, { schemaName: 'partial' }, { fields: ['name'] }));
    await em.flush();

    expect(await storedTenants(database)).not.to.include.members(['reference', 'partial']);
    expect(await schemaNames(database))
      .not.to.include('reference')
      .and.not.to.include('partial');
  });

  it('T16 drops the schema that the row has, not the one that the entity was given meanwhile', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('mine'), newLibrary('theirs')]);
    const em = orm.em.fork();
    const mine = await em.findOneOrFail(Library, { schemaName: 'mine' });
    mine.schemaName = 'theirs';
    await em.removeAndFlush(mine);

    expect(await schemaNames(database))
      .to.include('theirs')
      .and.not.to.include('mine');
    expect(await storedTenants(database))
      .to.include('theirs')
      .and.not.to.include('mine');
  });

  it('T16 drops the schema that the row has, not the one that the entity was loaded with', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('former'));
    const stale = orm.em.fork();
    const tenant = await stale.findOneOrFail(Library, { schemaName: 'former' });
    await tenants(orm).rename('former', 'present');
    await orm.em.fork().persistAndFlush(newLibrary('former', { domainUrl: 'newcomer.example.com' }));
    await stale.removeAndFlush(tenant);

    expect(await schemaNames(database))
      .to.include('former')
      .and.not.to.include('present');
    expect(await storedTenants(database))
      .to.include('former')
      .and.not.to.include('present');
  });

  it('T16 drops nothing for a tenant that somebody else has deleted', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('passed_on'));
    const stale = orm.em.fork();
    const tenant = await stale.findOneOrFail(Library, { schemaName: 'passed_on' });
    const em = orm.em.fork();
    const same = await em.findOneOrFail(Library, { schemaName: 'passed_on' });
    same.autoDropSchema = false;
    await em.removeAndFlush(same);
    await stale.removeAndFlush(tenant);

    expect(await schemaNames(database)).to.include('passed_on');
  });

  it('T15 deletes a tenant that never had a schema', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('bare', { autoCreateSchema: false }));
    const em = orm.em.fork();
    await em.removeAndFlush(await em.findOneOrFail(Library, { schemaName: 'bare' }));

    expect(await storedTenants(database)).not.to.include('bare');
  });
});

onDatabasesAndPooler('deleting a tenant of a class with `autoDropSchema`', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, GuestSchema.class, { autoDropSchema: false });
  });

  it('T15 drops the schemas of that class, unless the tenant says otherwise', async () => {
    const guests = ['first', 'second', 'third'].map(name => new Guest({ schemaName: name, domainUrl: `${name}.example.com` }));
    const em = orm.em.fork();
    await em.persistAndFlush(guests);
    Object.assign(guests[2] ?? {}, { autoDropSchema: false });
    await em.removeAndFlush(guests);

    expect(await storedTenants(database, 'guest')).to.deep.equal([]);
    expect(await schemaNames(database)).to.deep.equal(['third']);
  });
});
