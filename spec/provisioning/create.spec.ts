import { currentTenant, runInTenant } from '@landlord/mikro-orm';
import type { EntityManager } from '@mikro-orm/core';
import { Seeder, SeedManager } from '@mikro-orm/seeder';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, schemasWith, storedTenants } from '../support/databases/catalog.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';

onDatabasesAndPooler('creating a tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, {}, { extensions: [SeedManager] });
  });

  it('T1 creates the schema and its tables with the row, in no other schema', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);

    expect(await schemasWith(database, 'book')).to.deep.equal(['acme', 'bob']);
    expect(await storedTenants(database)).to.deep.equal(['acme', 'bob']);
  });

  it('R1 refers to a shared table by a real constraint, in public, from each tenant', async () => {
    await orm.em.fork().persistAndFlush([newLibrary('keys_one'), newLibrary('keys_two')]);

    for (const schemaName of ['keys_one', 'keys_two']) {
      const rows = await database.query<{ refers_to: string }>(
        `select confrelid::regclass::text as refers_to from pg_constraint where contype = 'f' and conname = 'book_genre_id_foreign'
           and conrelid = '${schemaName}.book'::regclass and confrelid = 'public.genre'::regclass and convalidated`,
      );
      expect(rows).to.have.length(1);

      const insert = runInTenant(schemaName, em =>
        em.execute(`insert into book (title, author_id, genre_id) values ('of no genre', 1, 999)`),
      );
      expect(sqlStateOf(await failureOf(insert))).to.equal('23503');
    }
  });

  it('T1 notes the tenant set in a history of its own, and nothing of it in the public one', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('history'));

    const tenant = await database.query<{ name: string }>('select name from history.mikro_orm_migrations');
    const shared = await database.query<{ name: string }>('select name from public.mikro_orm_migrations');

    expect(tenant).to.have.length(1);
    expect(shared).to.have.length(1);
    expect(await schemasWith(database, 'library')).to.deep.equal(['public']);
    expect(await schemasWith(database, 'genre')).to.deep.equal(['public']);
  });

  it('T1 serves what is created at once, and gives a neighbour nothing of it', async () => {
    const [here, there] = [newLibrary('here'), newLibrary('there')];
    await orm.em.fork().persist([here, there]).flush();
    await runInTenant(here, em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));

    expect(await runInTenant('here', em => em.count(Author))).to.equal(1);
    expect(await runInTenant('there', em => em.count(Author))).to.equal(0);
  });

  it('T1 creates a schema for a tenant of `em.create`, of a repository and of a seeder', async () => {
    const em = orm.em.fork();
    em.persist(em.create(Library, { name: 'Made', domainUrl: 'made.example.com', schemaName: 'made' }, { partial: true }));
    em.persist(em.getRepository(Library).create({ name: 'Kept', domainUrl: 'kept.example.com', schemaName: 'kept' }, { partial: true }));
    await em.flush();
    await orm.seeder.seed(LibrarySeeder);

    expect(await schemasWith(database, 'book')).to.include.members(['made', 'kept', 'sown']);
    expect(await em.fork().findOneOrFail(Library, { schemaName: 'made' })).to.include({ name: 'Made', onTrial: true });
    expect(await em.fork().findOneOrFail(Library, { schemaName: 'sown' })).to.include({ name: 'Sown', onTrial: true });
  });

  it('T3 keeps the schema and the rows of a tenant that is saved again', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('again'));
    await runInTenant('again', em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Library, { schemaName: 'again' });
    database.statements.length = 0;
    tenant.name = 'Once more';
    await em.persistAndFlush(tenant);

    expect(database.statements.join('\n')).not.to.match(/\bschema "|create |drop |alter /);
    expect(await runInTenant('again', scoped => scoped.count(Author))).to.equal(1);
    expect(await em.fork().findOneOrFail(Library, { schemaName: 'again' })).to.include({ name: 'Once more' });
  });

  it('T3 leaves a tenant alone that is persisted without a change', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('still'));
    const em = orm.em.fork();
    const tenant = await em.findOneOrFail(Library, { schemaName: 'still' });
    database.statements.length = 0;
    await em.persistAndFlush(tenant);

    expect(database.statements).to.deep.equal([]);
  });

  it('T6 creates every tenant of a flush, or none of them', async () => {
    await database.query('create schema taken');
    const [before, rows] = [await schemaNames(database), await storedTenants(database)];
    const attempt = orm.em.fork().persistAndFlush([newLibrary('first'), newLibrary('taken'), newLibrary('third')]);

    expect(await refusal(attempt)).to.include({ code: 'SCHEMA_ALREADY_EXISTS', schemaName: 'taken' });
    expect(await schemaNames(database)).to.deep.equal(before);
    expect(await storedTenants(database)).to.deep.equal(rows);

    await orm.em.fork().persistAndFlush([newLibrary('first'), newLibrary('second'), newLibrary('third')]);

    expect(await schemasWith(database, 'book')).to.include.members(['first', 'second', 'third']);
    expect(await schemasWith(database, 'book')).not.to.include('taken');
  });

  it('T9 refuses a schema that exists, and leaves it as it was', async () => {
    await database.query('create schema somebodys');
    await database.query('create table somebodys.book (secret text)');
    await database.query(`insert into somebodys.book values ('kept')`);

    const error = await refusal(orm.em.fork().persistAndFlush(newLibrary('somebodys')));

    expect(error).to.include({ code: 'SCHEMA_ALREADY_EXISTS', schemaName: 'somebodys' });
    expect(error.message).to.include('"somebodys"').and.to.include('drop or rename');
    expect(error.cause).to.be.an('error').with.property('code', '42P06');

    expect(await database.query('select * from somebodys.book')).to.deep.equal([{ secret: 'kept' }]);
    expect(await storedTenants(database)).not.to.include('somebodys');
    const [schema] = await database.query<{ comment: string | null }>(
      `select obj_description('somebodys'::regnamespace, 'pg_namespace') as comment`,
    );
    expect(schema?.comment).to.equal(null);
  });

  it('T12 takes the keywords of SQL as schema names', async () => {
    const keywords = ['select', 'user', 'table', 'order', 'null', 'current_user', 'default', '_'];
    await orm.em.fork().persistAndFlush(keywords.map((schemaName, i) => newLibrary(schemaName, { domainUrl: `keyword-${i}.example.com` })));

    for (const schemaName of keywords) {
      await runInTenant(schemaName, async em => {
        await em.persistAndFlush(em.create(Author, { name: schemaName }));
        expect((await em.fork().findAll(Author)).map(author => author.name)).to.deep.equal([schemaName]);
        expect(currentTenant()?.schemaName).to.equal(schemaName);
      });
    }

    expect(await schemasWith(database, 'author')).to.include.members(keywords);
  });

  it('T11 takes a name of 63 bytes, the longest that PostgreSQL does not cut', async () => {
    const [longest, other] = [`${'a'.repeat(62)}b`, `${'a'.repeat(62)}c`];
    await orm.em.fork().persistAndFlush([longest, other].map((name, i) => newLibrary(name, { domainUrl: `longest-${i}.example.com` })));

    expect(await schemasWith(database, 'book')).to.include.members([longest, other]);
  });

  class LibrarySeeder extends Seeder {
    async run(em: EntityManager): Promise<void> {
      em.create(Library, { name: 'Sown', domainUrl: 'sown.example.com', schemaName: 'sown' }, { partial: true });
    }
  }
});
