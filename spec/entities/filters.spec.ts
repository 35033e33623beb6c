import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ref, type FilterDef } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Book, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { initLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openTwins } from '../support/orm/twins.ts';

/** Whom the config's own filter is about, which no parameter says. */
let current: Author | undefined;

onDatabases('filters that are given entities', database => {
  let orm: LibraryOrm;
  let bobs: Author;
  const own: FilterDef = { name: 'own', cond: (args: { author: Author }) => ({ author: args.author }), entity: [Book] };

  before(async () => {
    const filters = { closure: { name: 'closure', cond: () => (current === undefined ? {} : { author: current }), entity: ['Book'] } };
    orm = await openTwins(database, { filters } as never);
    bobs = await runInTenant('bob', em => em.findOneOrFail(Author, 2));
  });

  beforeEach(() => {
    current = undefined;
    database.statements.length = 0;
  });

  const SHAPES: Readonly<Record<string, (author: Author) => object>> = {
    itself: author => ({ author }),
    'a reference': author => ({ author: ref(author) }),
    'in a list': author => ({ author: { $in: [author] } }),
    deeper: author => ({ $and: [{ author: { id: author } }] }),
  };

  for (const [shape, given] of Object.entries(SHAPES)) {
    it(`law 2: another tenant’s entity is refused as a parameter: ${shape}`, async () => {
      await runInTenant('acme', async em => {
        database.statements.length = 0;
        await refusal(() => em.setFilterParams('own', given(bobs)), 'CROSS_TENANT');
        await refusal(() => orm.em.fork().setFilterParams('own', given(bobs)), 'CROSS_TENANT');
        expect(database.statements).to.deep.equal([]);
      });
    });

    it(`law 2: another tenant’s entity is refused in a condition that is added: ${shape}`, async () => {
      await runInTenant('acme', async em => {
        await refusal(() => em.addFilter({ name: 'added', cond: given(bobs), entity: [Book] } as never), 'CROSS_TENANT');
        em.addFilter({ name: 'added', cond: () => given(bobs), entity: [Book] } as never);
        database.statements.length = 0;

        for (const [path, read] of Object.entries(READS)) {
          await refusal(() => read(em), 'CROSS_TENANT', path);
        }

        expect(database.statements).to.deep.equal([]);
      });
    });
  }

  it('law 2: another tenant’s entity is refused in a condition of the config’s, which knows it from elsewhere', async () => {
    current = bobs;
    await runInTenant('acme', async em => {
      database.statements.length = 0;

      for (const [path, read] of Object.entries(READS)) {
        await refusal(() => read(em), 'CROSS_TENANT', path);
      }

      expect(database.statements).to.deep.equal([]);
    });
  });

  for (const [shape, given] of Object.entries(SHAPES)) {
    it(`law 2: another tenant’s entity is refused in a condition of the config’s that is no function: ${shape}`, async () => {
      const mine = await runInTenant('acme', em => em.findOneOrFail(Author, 1), { orm });
      const fixed = (author: Author): FilterDef => ({ name: 'fixed', cond: given(author), entity: ['Book'] }) as never;
      await using resources = new AsyncDisposableStack();

      for (const author of [bobs, mine]) {
        const other = await initLibrary(database, {}, { filters: { fixed: fixed(author) } } as never);
        resources.defer(() => other.close());
        const readsIn = (tenant: string, use: (path: string, read: () => Promise<unknown>) => Promise<unknown>): Promise<void> =>
          runInTenant(
            tenant,
            async em => {
              for (const [path, read] of Object.entries(READS)) {
                await use(path, () => read(em));
              }
            },
            { orm: other },
          );
        const [own, foreign] = author === bobs ? ['bob', 'acme'] : ['acme', 'bob'];
        await readsIn(foreign, (path, read) => refusal(read, 'CROSS_TENANT', path));
        await runInTenant(own, em => em.find(Book, {}), { orm: other });
        // MikroORM has replaced the entity by its key
        await readsIn(foreign, (path, read) => refusal(read, 'CROSS_TENANT', path));
      }
    });
  }

  it('law 2: what a nested scope takes over of the outer one’s is refused where it is used, and nowhere else', async () => {
    await runInTenant('acme', async outer => {
      outer.addFilter(own);
      outer.setFilterParams('own', { author: await outer.findOneOrFail(Author, 1, { filters: false }) });
      expect((await outer.find(Book, {})).map(({ id }) => id)).to.deep.equal([1, 2]);

      await runInTenant('bob', async em => {
        database.statements.length = 0;

        for (const [path, read] of Object.entries(READS)) {
          await refusal(() => read(em), 'CROSS_TENANT', path);
          await refusal(() => read(em.fork()), 'CROSS_TENANT', path);
        }

        expect(database.statements).to.deep.equal([]);
        expect(await em.count(Tag)).to.equal(2);
        expect(await em.find(Book, {}, { filters: { own: false } })).to.have.length(2);
        expect(await em.find(Book, {}, { filters: { own: { author: await em.findOneOrFail(Author, 2) } } })).to.deep.equal([]);
        em.setFilterParams('own', { author: await em.findOneOrFail(Author, 1) });
        expect((await em.find(Book, {}, { orderBy: { id: 'asc' } })).map(({ title }) => title)).to.deep.equal(['bob book 1', 'bob book 2']);
      });
      await runInTenant('bob', async em => {
        em.addFilter({ name: 'own', cond: { author: await em.findOneOrFail(Author, 1) }, entity: [Book] } as never);
        expect(await em.count(Book)).to.equal(2);
        await runInTenant('acme', inner => refusal(() => inner.find(Book, {}), 'CROSS_TENANT'));
      });
      expect(await outer.count(Book)).to.equal(2);
    });
  });

  it('G4 the tenant’s own entity is a parameter like any other', async () => {
    current = await runInTenant('acme', em => em.findOneOrFail(Author, 1));
    await runInTenant('acme', async em => {
      em.addFilter({ name: 'mine', cond: async (args: { author: Author }) => ({ author: args.author }), entity: [Book] } as never);
      em.setFilterParams('mine', { author: current });
      expect(await em.count(Book)).to.equal(2);
      expect(await em.fork().count(Book)).to.equal(2);
      em.setFilterParams('mine', { author: await em.findOneOrFail(Author, 2) });
      expect(await em.count(Book)).to.equal(0);
    });
  });

  it('S1 a filter that the global EntityManager adds in a scope is one of that scope, for joined relations too', async () => {
    const titles = async (em: Pick<TenantEntityManager, 'find'>): Promise<unknown> => {
      const [author] = await em.find(Author, { id: 1 }, { populate: ['books'], strategy: 'joined' });

      return author?.books.getItems().map(({ title }) => title);
    };

    for (const add of [(em: TenantEntityManager) => em, () => orm.em]) {
      for (const read of [(em: TenantEntityManager) => em, () => orm.em]) {
        await runInTenant('acme', async em => {
          add(em).addFilter({ name: 'second', cond: { id: 2 }, entity: [Book] } as never);
          expect(await titles(read(em))).to.deep.equal(['acme book 2']);
          expect(await em.transactional(() => titles(read(em)))).to.deep.equal(['acme book 2']);
          await runInTenant('bob', async inner => expect(await titles(read(inner))).to.deep.equal(['bob book 2']));
        });
        await runInTenant('acme', async em => expect(await titles(read(em))).to.deep.equal(['acme book 1', 'acme book 2']));
      }
    }
  });

  it('S1 the filters of an outer scope apply with the EntityManager that they were added to, and with no other', async () => {
    await runInTenant('acme', async outer => {
      await runInTenant('bob', async inner => {
        inner.addFilter({ name: 'second', cond: { id: 2 }, entity: [Book] } as never);
        expect(await orm.em.count(Book)).to.equal(1);
        expect(await orm.em.qb(Book).getCount()).to.equal(2);
      });
      expect(await outer.count(Book)).to.equal(2);
      expect(await orm.em.count(Book)).to.equal(2);
    });
  });
});

const READS: Readonly<Record<string, (em: TenantEntityManager) => Promise<unknown>>> = {
  find: em => em.find(Book, {}),
  findOne: em => em.findOne(Book, { title: 'any' }),
  count: em => em.count(Book),
  nativeUpdate: em => em.nativeUpdate(Book, {}, { title: 'written' }),
  'a query builder': async em => {
    const query = em.qb(Book);
    await query.applyFilters();

    return query.getResultList();
  },
  'a collection': em => em.find(Author, {}, { populate: ['books'], filters: { own: true } }),
};
