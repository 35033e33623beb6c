import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/database.ts';
import type { LibraryOrm } from '../support/library-orm.ts';
import { openTwins, refusal } from '../support/twins.ts';

type Query = (em: TenantEntityManager) => Promise<unknown>;

onDatabases('result caches', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
    await database.query(`insert into bob.author (id, name) values (3, 'bob author 3')`);
  });

  after(() => orm.close());

  const queries: Readonly<Record<string, Query>> = {
    find: em => em.find(Author, {}, { cache: 60_000 }),
    'find by name': em => em.find(Author, {}, { cache: ['find', 60_000] }),
    'findOne by name': em => em.findOne(Book, { id: 1 }, { populate: ['author', 'tags'], cache: ['findOne', 60_000] }),
    count: em => em.count(Author, {}, { cache: 60_000 }),
    'count by name': em => em.count(Author, {}, { cache: ['count', 60_000] }),
    qb: em => em.qb(Author).cache(60_000).getResultList(),
    'qb by name': em => em.qb(Author).cache(['qb', 60_000]).getResultList(),
    'qb execute by name': em => em.qb(Author, 'a').leftJoin('a.books', 'b').cache(['execute', 60_000]).execute(),
  };

  for (const [name, query] of Object.entries(queries)) {
    it(`S10 a cached ${name} answers its own tenant again, and no other`, async () => {
      const acme = JSON.stringify(await runInTenant('acme', em => query(em)));
      const bob = JSON.stringify(await runInTenant('bob', em => query(em)));

      expect(bob).not.to.equal(acme);
      expect(acme).not.to.contain('bob');
      expect(bob).not.to.contain('acme');

      for (const [tenant, first] of [
        ['acme', acme],
        ['bob', bob],
      ] as const) {
        await runInTenant(tenant, async em => {
          database.statements.length = 0;
          expect(JSON.stringify(await query(em))).to.equal(first);
          expect(database.statements, 'answered by the cache').to.deep.equal([]);
        });
      }
    });

    it(`S10, law 1, law 2: a cached ${name} is refused where the database’s answer would be`, async () => {
      await runInTenant('bob', em => query(em));
      await query(orm.em.fork({ schema: 'bob' }));
      await refusal(() => query(orm.em.fork()), 'TENANT_CONTEXT_REQUIRED');
      await runInPublic(em => refusal(() => query(em), 'TENANT_CONTEXT_REQUIRED'));
      await runInTenant('acme', em => refusal(() => query(em.fork({ schema: 'bob' })), 'CROSS_TENANT'));
    });
  }

  it('S10 an entity out of the cache is of its tenant’s schema, with all that it refers to, and can be changed', async () => {
    const read: (em: TenantEntityManager) => Promise<Book> = em =>
      em.findOneOrFail(Book, { id: 2 }, { populate: ['author'], cache: ['to change', 60_000] });
    await runInTenant('bob', read);
    await runInTenant('bob', async em => {
      const book = await read(em);
      book.title = 'changed after the cache';
      book.author.name = 'changed too';
      await em.flush();
    });

    expect(
      await database.query(`select b.title, a.name from bob.book b join bob.author a on a.id = b.author_id where b.id = 2`),
    ).to.deep.equal([{ title: 'changed after the cache', name: 'changed too' }]);
    expect(await database.query(`select title from acme.book where id = 2`)).to.deep.equal([{ title: 'acme book 2' }]);
  });

  it('S10 clearing a name clears it for the tenant of the scope alone', async () => {
    const count: Query = em => em.count(Book, {}, { cache: ['to clear', 60_000] });
    await runInTenant('acme', em => count(em));
    await runInTenant('bob', em => count(em));
    await runInTenant('acme', em => em.clearCache('to clear'));
    const asked = async (tenant: string): Promise<number> =>
      runInTenant(tenant, async em => {
        database.statements.length = 0;
        await count(em);

        return database.statements.length;
      });

    expect([await asked('acme'), await asked('bob')]).to.deep.equal([1, 0]);
  });

  it('S10 a filter with a parameter of its scope is not the next scope’s', async () => {
    const filtered = (name: string, id: number): Promise<Book[]> =>
      runInTenant(name, em => {
        em.addFilter({ name: 'only', cond: args => ({ id: Number(args['id']) }), entity: Book });
        em.setFilterParams('only', { id });

        return em.find(Book, {}, { filters: { only: true } });
      });

    expect((await filtered('acme', 1)).map(book => book.title)).to.deep.equal(['acme book 1']);
    expect((await filtered('bob', 1)).map(book => book.title)).to.deep.equal(['bob book 1']);
    await runInTenant('acme', async em => {
      const before = em.getFilterParams('only');
      expect(before).to.equal(undefined);
    });
  });
});
