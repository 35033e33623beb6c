import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Book } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { LIBRARY_ENTITIES, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** What an expression returns. A query that an application keeps, and builds only once, is one tenant's. */
const EXPRESSIONS: Readonly<Record<string, (em: TenantEntityManager) => any>> = {
  'a query builder': em => em.qb(Author, 'a').select('a.name'),
  'a fragment': em => em.qb(Author, 'a').select('a.name').toRaw(),
  'a query of a query': em => em.qb(em.qb(Author, 'a').select('a.name') as any, 'x').select('name' as never),
};

const USES: Readonly<Record<string, (em: TenantEntityManager) => Promise<unknown>>> = {
  find: em => em.find(Named, {}),
  findOne: em => em.findOne(Named, { name: { $ne: '' } }),
  count: em => em.count(Named),
  findByCursor: em => em.findByCursor(Named, { first: 1, orderBy: { name: 'asc' } }),
  'a query builder': em => em.qb(Named, 'n').execute(),
  stream: async em => {
    for await (const row of em.stream(Named, {})) {
      return row;
    }

    return undefined;
  },
};

let kept: any;

class Named {
  name!: string;
}

const NamedSchema = defineEntity({ class: Named, expression: () => kept, properties: { name: p.string() } });

class Counted {
  one!: number;
}

const CountedSchema = defineEntity({ class: Counted, expression: 'select 1 as one', properties: { one: p.integer() } });

onDatabasesAndPooler('virtual entities', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database, { entities: [...LIBRARY_ENTITIES, NamedSchema, CountedSchema] });
  });

  for (const [what, express] of Object.entries(EXPRESSIONS)) {
    it(`S13 ${what} that was made for one tenant, and is kept, does not answer another`, async () => {
      for (const [use, run] of Object.entries(USES)) {
        for (const enter of [
          (fn: typeof run) => runInTenant('acme', em => fn(em)),
          (fn: typeof run) => fn(orm.em.fork({ schema: 'acme' })),
        ]) {
          [kept] = await runInTenant('bob', em => [express(em)]);
          database.statements.length = 0;
          await refusal(() => enter(run), 'CROSS_TENANT', use);
          expect(database.statements.filter(text => text.includes('author'))).to.deep.equal([]);
        }
      }
    });

    it(`S13, R3 ${what} answers the tenant that it was made for`, async () => {
      [kept] = await runInTenant('bob', em => [express(em)]);
      const found = await runInTenant('bob', em => em.find(Named, {}, { orderBy: { name: 'asc' } }));
      expect(found.map(({ name }) => name)).to.deep.equal(['bob author 1', 'bob author 2']);
    });
  }

  it('S13, R3 answers in every way that it is asked, in the scope and outside of it', async () => {
    // PGlite does not stream
    for (const [use, run] of Object.entries(USES).filter(([name]) => name !== 'stream' || database.kind !== 'pglite')) {
      for (const enter of [(fn: typeof run) => runInTenant('bob', em => fn(em)), (fn: typeof run) => fn(orm.em.fork({ schema: 'bob' }))]) {
        [kept] = await runInTenant('bob', em => [em.qb(Author, 'a').select('a.name') as any]);
        database.statements.length = 0;
        await enter(run);
        expect(database.statements.join(), use).to.include('"bob"."author"');
      }
    }
  });

  it('S13, law 2 is refused in another tenant’s scope, also by the EntityManager that it is of', async () => {
    const bobs = orm.em.fork({ schema: 'bob' });

    // PGlite does not stream
    for (const [use, run] of Object.entries(USES).filter(([name]) => name !== 'stream' || database.kind !== 'pglite')) {
      [kept] = [bobs.qb(Author, 'a').select('a.name')];
      database.statements.length = 0;
      await runInTenant('acme', () => refusal(() => run(bobs), 'CROSS_TENANT', use));
      expect(database.statements.filter(text => text.includes('author'))).to.deep.equal([]);
    }
  });

  it('G4 one whose expression is a text is read as it is', async () => {
    expect(await runInTenant('bob', em => em.find(Counted, {}))).to.deep.equal([{ one: 1 }]);
  });

  it('G4 rows that an expression gives one by one are all read', async () => {
    for (const rows of [[{ name: 'one' }, { name: 'two' }].values(), Promise.resolve([{ name: 'one' }, { name: 'two' }])]) {
      kept = rows;
      const found = await runInTenant('bob', em => em.find(Named, {}));
      expect(found.map(({ name }) => name)).to.deep.equal(['one', 'two']);
    }
  });

  it('S13 a query of a query is refused in another tenant, as whatever it was made', async () => {
    const [books] = await runInTenant('bob', em => [em.qb(Book, 'b').select('b.title') as any]);

    for (const make of [
      (em: TenantEntityManager) => em.createQueryBuilder(books, 'x'),
      (em: TenantEntityManager) => em.qb(books, 'x'),
      (em: TenantEntityManager) => em.qb(books.clone(), 'x'),
      (em: TenantEntityManager) => em.getDriver().createQueryBuilder(books as never),
    ]) {
      await runInTenant('acme', em => refusal(async () => (make(em) as any).execute(), 'CROSS_TENANT'));
      await refusal(async () => (make(orm.em.fork({ schema: 'acme' })) as any).withSchema('acme').execute(), 'CROSS_TENANT');
    }
  });
});
