import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book, Genre, Tag } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins, schemasIn } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';

/** The ways to read only shared entities. `matrix/` has the ways to read and write tenant entities. */
const SHARED_READS: Readonly<Record<string, (em: TenantEntityManager) => unknown>> = {
  find: em => em.find(Genre, {}),
  count: em => em.count(Genre),
  qb: em => em.qb(Genre, 'g').getResult(),
  Kysely: em => em.getKysely<{ genre: { id: number } }>().selectFrom('genre').selectAll().execute(),
};

onDatabasesAndPooler('isolation of tenants', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  before(async () => {
    orm = await openTwins(database);
    untouched = await everyRowOfTwins(database);
  });

  beforeEach(() => {
    database.statements.length = 0;
  });

  for (const [name, path] of Object.entries(SHARED_READS)) {
    it(`S6, law 3: "${name}" of a shared entity answers the same from every scope, out of the public schema by name`, async () => {
      const answers = [await path(orm.em.fork()), await runInPublic(em => path(em)), await runInTenant('acme', em => path(em))];

      expect(new Set(answers.map(answer => JSON.stringify(answer))).size).to.equal(1);
      expect(schemasIn(database.statements).filter(schema => schema !== 'public')).to.deep.equal([]);
    });
  }

  it('law 1: an EntityManager from outside the scope is named as what has no tenant', async () => {
    const outside = orm.em.fork();
    const { message } = await runInTenant('acme', () => refusal(() => outside.find(Book, {}), 'TENANT_CONTEXT_REQUIRED'));

    expect(message).to.contain(
      'Use `orm.em`, which is the EntityManager of the current scope, in place of one that was created outside of it',
    );
  });

  it('law 2: the option `schema` of a call is a tenant by name', async () => {
    await runInTenant('acme', async em => {
      database.statements.length = 0;
      await refusal(() => em.find(Book, {}, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.findOne(Book, 1, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.count(Book, {}, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.insert(Tag, { id: 9, name: 'x' }, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.nativeUpdate(Book, {}, { title: 'x' }, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.nativeDelete(Book, {}, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.getReference(Book, 1, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.merge(Book, { id: 1 }, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.create(Tag, { name: 'x' }, { schema: 'bob' }), 'CROSS_TENANT');
      await refusal(() => em.qb(Book).withSchema('bob').getResult(), 'CROSS_TENANT');
      await refusal(() => em.qb(Author, 'a').leftJoin('a.books', 'b', {}, 'bob').getResult(), 'CROSS_TENANT');
      await refusal(() => em.find(Book, {}, { schema: 'public' }), 'TENANT_CONTEXT_REQUIRED');
      await refusal(() => em.find(Book, {}, { schema: '*' }), 'TENANT_CONTEXT_REQUIRED');
    });

    expect(database.statements).to.deep.equal([]);
  });

  it('law 2, law 6: a schema by a name no tenant can have is refused, whatever it would do in SQL', async () => {
    for (const schema of ['acme"; drop schema bob; --', 'ACME', 'pg_catalog', 'information_schema']) {
      const { code } = await refusal(() => orm.em.fork().find(Book, {}, { schema }));

      expect(code, schema).to.match(/^SCHEMA_NAME_/);
    }

    expect(database.statements).to.deep.equal([]);
  });

  it('law 2: a flush with entities of two tenants is refused, and stores neither', async () => {
    const em = orm.em.fork();
    const mine = await em.findOneOrFail(Book, 1, { schema: 'acme' });
    const other = await em.findOneOrFail(Book, 1, { schema: 'bob' });
    expect(mine).not.to.equal(other);
    mine.title = 'mixed';
    other.title = 'mixed';
    database.statements.length = 0;

    await refusal(() => em.flush(), 'CROSS_TENANT');

    expect(database.statements).to.deep.equal([]);
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  it('law 2: a flush that refers to another tenant’s entity is refused, as the key alone would be a row of the own tenant', async () => {
    const author = await runInTenant('bob', em => em.findOneOrFail(Author, 2));
    const tag = await runInTenant('bob', em => em.findOneOrFail(Tag, 2));

    await runInTenant('acme', async em => {
      const book = await em.findOneOrFail(Book, 1);
      database.statements.length = 0;
      book.author = author;
      await refusal(() => em.flush(), 'CROSS_TENANT', 'a foreign key');
    });
    await runInTenant('acme', async em => {
      const book = await em.findOneOrFail(Book, 1, { populate: ['tags'] });
      database.statements.length = 0;
      book.tags.add(tag);
      await refusal(() => em.flush(), 'CROSS_TENANT', 'a collection');
    });

    expect(database.statements).to.deep.equal([]);
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  it('law 2: an entity of one tenant is not stored by the scope of another', async () => {
    const book = await runInTenant('bob', em => em.findOneOrFail(Book, 1));
    book.title = 'carried over';

    await runInTenant('acme', async em => {
      database.statements.length = 0;
      await refusal(() => em.persistAndFlush(book), 'CROSS_TENANT');
    });

    expect(database.statements).to.deep.equal([]);
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  it('S8: the same key in two tenants is two entities, also in one EntityManager', async () => {
    const em = orm.em.fork();
    const [acme, bob] = [await em.findOneOrFail(Book, 1, { schema: 'acme' }), await em.findOneOrFail(Book, 1, { schema: 'bob' })];

    expect([acme.title, bob.title]).to.deep.equal(['acme book 1', 'bob book 1']);
    expect((await runInTenant('acme', inner => inner.findOneOrFail(Book, 1))).title).to.equal('acme book 1');
    expect((await runInTenant('bob', inner => inner.findOneOrFail(Book, 1))).title).to.equal('bob book 1');
  });

  it('S6: a shared entity written in a tenant’s scope lands in the public schema', async () => {
    await runInTenant('acme', em => em.persistAndFlush(em.create(Genre, { id: 50, name: 'poetry' })));

    expect(await database.query(`select name from public.genre where id = 50`)).to.deep.equal([{ name: 'poetry' }]);
    expect(await runInTenant('bob', em => em.count(Genre, { id: 50 }))).to.equal(1);
    expect(await runInPublic(em => em.nativeDelete(Genre, { id: 50 }))).to.equal(1);
  });
});
