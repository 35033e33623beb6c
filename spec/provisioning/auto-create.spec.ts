import { runInTenant, TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, schemasWith, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openNoteOrm } from '../support/orm/note-orm.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';

class Applicant extends TenantMixin {
  static override autoCreateSchema = false;
}

const ApplicantSchema = defineEntity({ class: Applicant, extends: TenantMixin, properties: { note: p.string().nullable() } });

onDatabases('a tenant without `autoCreateSchema`', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
  });

  it('T2 is stored alone, and its schema is made by `provision`', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('later', { autoCreateSchema: false }), newLibrary('now')]);
    expect(await storedTenants(database)).to.deep.equal(['later', 'now']);
    expect(await schemaNames(database)).to.deep.equal(['now']);

    await tenants(orm).provision('later');

    expect(await schemasWith(database, 'book')).to.deep.equal(['later', 'now']);
    expect(await runInTenant('later', em => em.count(Author))).to.equal(0);
  });

  it('T2 is provisioned once: a second time is refused, and its rows are kept', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('twice', { autoCreateSchema: false }));
    const tenant = await orm.em.fork().findOneOrFail(Library, { schemaName: 'twice' });
    await tenants(orm).provision(tenant);
    await runInTenant('twice', em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));

    expect(await refusal(tenants(orm).provision(tenant))).to.include({ code: 'SCHEMA_ALREADY_EXISTS', schemaName: 'twice' });
    expect(await runInTenant('twice', em => em.count(Author))).to.equal(1);
  });

  it('T2 is still held to the rules of names', async () => {
    const tenant = newLibrary('Bad', { autoCreateSchema: false });

    expect(await refusal(orm.em.fork().persistAndFlush(tenant))).to.include({ code: 'SCHEMA_NAME_INVALID' });
    expect(await refusal(tenants(orm).provision('nobody'))).to.include({ code: 'TENANT_UNKNOWN' });
  });

  it('T2 fails on its tables until then, and reads no table of public in their place', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('empty', { autoCreateSchema: false }));
    await database.query('create table public.author (id int, name text)');
    await database.query(`insert into public.author values (1, 'somebody else')`);

    try {
      expect(sqlStateOf(await failureOf(runInTenant('empty', em => em.findAll(Author))))).to.equal('42P01');
    } finally {
      await database.query('drop table public.author');
    }
  });
});

onDatabases('tenants with `autoCreateSchema: false` in the options', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { autoCreateSchema: false });
  });

  it('T2 have no schema, except the one that says otherwise', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('without'), newLibrary('with', { autoCreateSchema: true })]);

    expect(await storedTenants(database)).to.deep.equal(['with', 'without']);
    expect(await schemaNames(database)).to.deep.equal(['with']);
  });
});

onDatabases('tenants of a class with `autoCreateSchema: false`', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, ApplicantSchema.class);
  });

  it('T2 have no schema, except the one that says otherwise', async () => {
    const given = new Applicant({ schemaName: 'with', domainUrl: 'with.example.com' });
    given.autoCreateSchema = true;
    await orm.em.fork().persistAndFlush([new Applicant({ schemaName: 'without', domainUrl: 'without.example.com' }), given]);

    expect(await storedTenants(database, 'applicant')).to.deep.equal(['with', 'without']);
    expect(await schemaNames(database)).to.deep.equal(['with']);
  });
});
