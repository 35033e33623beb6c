import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book, Genre, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

onDatabasesAndPooler('renaming a tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
  });

  async function create(...names: string[]): Promise<void> {
    await orm.em.fork().persistAndFlush(names.map(name => newLibrary(name)));
  }

  it('T17 renames the schema with the row, its data and relations intact', async () => {
    await create('old', 'neighbour');
    await orm.em.fork().persistAndFlush(orm.em.fork().create(Genre, { name: 'crime', description: '' }));
    await runInTenant('old', async em => {
      const genre = await em.findOneOrFail(Genre, { name: 'crime' });
      await em.persistAndFlush(em.create(Book, { title: 'Emma', author: em.create(Author, { name: 'Jane' }), genre }));
    });
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Library, { schemaName: 'old' });
    tenant.schemaName = 'new';
    await em.flush();

    expect(await schemaNames(database)).to.deep.equal(['neighbour', 'new']);
    expect(await storedTenants(database)).to.deep.equal(['neighbour', 'new']);
    await runInTenant('new', async scoped => {
      const [book] = await scoped.findAll(Book, { populate: ['author', 'genre'] });
      expect([book?.title, book?.author.name, book?.genre?.name]).to.deep.equal(['Emma', 'Jane', 'crime']);
      await scoped.persistAndFlush(scoped.create(Author, { name: 'Ann' }));
    });
    expect(await refusal(runInTenant('old', () => undefined))).to.include({ code: 'TENANT_UNKNOWN' });
    expect(await tenants(orm).migrate({ only: ['new'] })).to.include({ total: 1, upToDate: 1 });
  });

  it('T17 is rolled back with its transaction, row and schema together', async () => {
    await create('steady');
    await rollBackAfter(orm.em.fork(), async em => {
      const tenant = await em.findOneOrFail(Library, { schemaName: 'steady' });
      tenant.schemaName = 'unsteady';
      await em.flush();
    });

    expect(await schemaNames(database))
      .to.include('steady')
      .and.not.to.include('unsteady');
    expect(await storedTenants(database))
      .to.include('steady')
      .and.not.to.include('unsteady');
  });

  it('T17 refuses a name that another tenant has, and changes nothing', async () => {
    await create('mine', 'taken');
    const before = await schemaNames(database);

    expect(await refusal(tenants(orm).rename('mine', 'taken'))).to.include({ code: 'TENANT_ALREADY_EXISTS', property: 'schemaName' });
    expect(await schemaNames(database)).to.deep.equal(before);
    expect(await storedTenants(database)).to.include.members(['mine', 'taken']);
  });

  it('T17 refuses the name of a schema that exists, and leaves both as they were', async () => {
    await create('own');
    await database.query('create schema by_hand');
    await database.query('create table by_hand.book (secret text)');

    const error = await refusal(tenants(orm).rename('own', 'by_hand'));

    expect(error).to.include({ code: 'SCHEMA_ALREADY_EXISTS', schemaName: 'by_hand' });
    expect(error.cause).to.be.an('error').with.property('code', '42P06');
    expect(await storedTenants(database))
      .to.include('own')
      .and.not.to.include('by_hand');
    expect(await database.query('select * from by_hand.book')).to.deep.equal([]);
    expect(await runInTenant('own', em => em.count(Book))).to.equal(0);
  });

  it('T17 renames several tenants of one flush', async () => {
    await create('p', 'q', 'r');
    const em = orm.em.fork();

    for (const tenant of await em.find(Library, { schemaName: ['p', 'q', 'r'] })) {
      await runInTenant(tenant, scoped => scoped.persistAndFlush(scoped.create(Author, { name: tenant.schemaName })));
      tenant.schemaName = `${tenant.schemaName}_2`;
      tenant.domainUrl = `${tenant.schemaName.replace('_', '-')}.example.com`;
      tenant.name = 'renamed';
    }

    await em.flush();

    for (const name of ['p', 'q', 'r']) {
      expect(await database.query(`select name from ${name}_2.author`)).to.deep.equal([{ name }]);
      expect(await orm.em.fork().findOneOrFail(Library, { schemaName: `${name}_2` })).to.include({
        name: 'renamed',
        domainUrl: `${name}-2.example.com`,
      });
    }

    expect(await schemaNames(database))
      .not.to.include('p')
      .and.not.to.include('q')
      .and.not.to.include('r');
  });

  it('T17 holds every name of such a flush to the rules, and changes none of them', async () => {
    await create('s', 't');
    const em = orm.em.fork();
    const [first, second] = await em.find(Library, { schemaName: ['s', 't'] }, { orderBy: { schemaName: 'asc' } });
    Object.assign(first ?? {}, { schemaName: 's_2' });
    Object.assign(second ?? {}, { schemaName: 'T"2' });
    database.statements.length = 0;

    expect(await refusal(em.flush())).to.include({ code: 'SCHEMA_NAME_INVALID', schemaName: 'T"2' });
    expect(database.statements).to.deep.equal([]);
    expect(await schemaNames(database)).to.include.members(['s', 't']);
  });

  it('T17 refuses two tenants that swap names in one flush, and changes neither', async () => {
    await create('ping', 'pong');
    await runInTenant('ping', em => em.persistAndFlush(em.create(Author, { name: "ping's" })));
    const em = orm.em.fork();
    const [ping, pong] = await em.find(Library, { schemaName: ['ping', 'pong'] }, { orderBy: { schemaName: 'asc' } });
    Object.assign(ping ?? {}, { schemaName: 'pong' });
    Object.assign(pong ?? {}, { schemaName: 'ping' });

    expect(await refusal(em.flush())).to.include({ code: 'TENANT_ALREADY_EXISTS', property: 'schemaName' });
    expect(await database.query('select name from ping.author')).to.deep.equal([{ name: "ping's" }]);
    expect(await database.query('select name from pong.author')).to.deep.equal([]);
    expect(await orm.em.fork().findOneOrFail(Library, { schemaName: 'ping' })).to.include({ domainUrl: 'ping.example.com' });
  });

  it('T17 makes room for a new tenant of the former name, though not in one flush', async () => {
    await create('name');
    await runInTenant('name', em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));
    const renameAndCreate = async (flushBetween: boolean): Promise<void> =>
      orm.em.fork().transactional(async em => {
        const tenant = await em.findOneOrFail(Library, { schemaName: 'name' });
        tenant.schemaName = 'name_1';
        await (flushBetween ? em.flush() : undefined);
        em.persist(newLibrary('name', { domainUrl: 'name-2.example.com' }));
      });

    expect(await refusal(renameAndCreate(false))).to.include({ code: 'TENANT_ALREADY_EXISTS', property: 'schemaName' });
    expect(await database.query('select name from "name".author')).to.deep.equal([{ name: 'Ann' }]);

    await renameAndCreate(true);

    expect(await database.query('select name from name_1.author')).to.deep.equal([{ name: 'Ann' }]);
    expect(await database.query('select name from "name".author')).to.deep.equal([]);
  });

  it('T17 renames the schema that the row has, where the entity is partial, a reference or out of date', async () => {
    await create('partial', 'reference', 'stale');
    const em = orm.em.fork();
    const partial = await em.findOneOrFail(Library, { schemaName: 'partial' }, { fields: ['name'] });
    const { id } = await orm.em.fork().findOneOrFail(Library, { schemaName: 'reference' });
    const stale = await em.findOneOrFail(Library, { schemaName: 'stale' });
    await tenants(orm).rename('stale', 'stale_1');
    await create('stale_newcomer');
    await tenants(orm).rename('stale_newcomer', 'stale');
    Object.assign(partial, { schemaName: 'partial_2' });
    await em.flush();
    em.getReference(Library, id).schemaName = 'reference_2';
    await em.flush();
    stale.schemaName = 'stale_2';
    await em.flush();

    const names = ['partial_2', 'reference_2', 'stale', 'stale_2'];
    expect(await schemaNames(database)).to.include.members(names);
    expect(await storedTenants(database)).to.include.members(names);
    expect(await schemaNames(database))
      .not.to.include('partial')
      .and.not.to.include('reference')
      .and.not.to.include('stale_1');
  });

  it('T17 leaves a former name to whoever has it next, also when the renamed tenant is changed again', async () => {
    await create('first_name');
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Library, { schemaName: 'first_name' });
    tenant.schemaName = 'second_name';
    await em.flush();
    await orm.em.fork().persistAndFlush(newLibrary('first_name', { domainUrl: 'first-name-2.example.com' }));
    await runInTenant('first_name', scoped => scoped.persistAndFlush(scoped.create(Author, { name: 'of the next' })));
    tenant.name = 'changed again';
    await em.flush();

    expect(await database.query('select name from first_name.author')).to.deep.equal([{ name: 'of the next' }]);
    expect(await database.query('select name from second_name.author')).to.deep.equal([]);
  });

  it('T17 renames a tenant that has no schema yet', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('bare', { autoCreateSchema: false }));
    await tenants(orm).rename('bare', 'bare_2');
    expect(await schemaNames(database)).not.to.include('bare_2');
    await tenants(orm).provision('bare_2');

    expect(await schemaNames(database))
      .to.include('bare_2')
      .and.not.to.include('bare');
  });

  it('T17 keeps a renamed schema the library’s own, to be dropped and renamed again', async () => {
    await create('once');
    await tenants(orm).rename('once', 'twice');
    await tenants(orm).rename('twice', 'thrice');
    await tenants(orm).drop('thrice');

    expect(await schemaNames(database))
      .not.to.include('thrice')
      .and.not.to.include('once')
      .and.not.to.include('twice');
  });
});
