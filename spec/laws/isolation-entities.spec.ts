import { runInTenant, type CrossTenantError, type TenantEntityManager } from '@landlord/mikro-orm';
import { ref, wrap } from '@mikro-orm/core';
import { expect } from 'chai';
import { Book, Genre, Loan, Tag, type Author } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

interface Given {
  readonly book: Book;
  readonly author: Author;
  readonly tag: Tag;
}

type Use = (em: TenantEntityManager, given: Given) => unknown;

const AS_ITSELF: Readonly<Record<string, Use>> = {
  'em.insert': (em, { tag }) => em.insert(tag),
  'em.insertMany': (em, { tag }) => em.insertMany([tag]),
  'em.upsert': (em, { tag }) => em.upsert(tag),
  'em.upsert by name': (em, { tag }) => em.upsert(Tag, tag),
  'em.upsertMany': (em, { tag }) => em.upsertMany([tag]),
  'em.upsertMany, second': (em, { tag }) => em.upsertMany(Tag, [{ id: 2, name: 'x' }, tag]),
  'em.clone': (em, { tag }) => em.clone(tag, { name: 'x' }),
  'em.merge': (em, { book }) => em.merge(book),
  'em.merge by name': (em, { book }) => em.merge(Book, book),
  'em.persist': (em, { book }) => em.persistAndFlush(Object.assign(book, { title: 'x' })),
  'em.remove': (em, { book }) => em.removeAndFlush(book),
  'em.populate': (em, { book }) => em.populate([book], ['author'], { refresh: true }),
  'em.getEntityLoader': (em, { book }) => em.getEntityLoader().populate(Book, [book], [{ field: 'author' }] as never, { refresh: true }),
  'repository.insert': (em, { tag }) => em.getRepository(Tag).insert(tag),
  'repository.insertMany': (em, { tag }) => em.getRepository(Tag).insertMany([tag]),
  'repository.upsert': (em, { tag }) => em.getRepository(Tag).upsert(tag),
  'repository.upsertMany': (em, { tag }) => em.getRepository(Tag).upsertMany([tag]),
  'repository.merge': (em, { book }) => em.getRepository(Book).merge(book),
  'repository.populate': (em, { book }) => em.getRepository(Book).populate([book], ['author'], { refresh: true }),
  'em.refreshOrFail': (em, { book }) => em.refreshOrFail(book),
  'em.refresh': (em, { book }) => em.refresh(book),
};

const AS_VALUE: Readonly<Record<string, Use>> = {
  'data of em.insert': (em, { author }) => em.insert(Book, { id: 9, title: 'x', author }),
  'data of em.insert, as a reference': (em, { author }) => em.insert(Book, { id: 9, title: 'x', author: ref(author) as unknown as Author }),
  'data of em.insertMany': (em, { author }) => em.insertMany(Book, [{ id: 9, title: 'x', author }]),
  'a new entity of em.insert': (em, { author }) => em.insert(em.create(Book, { id: 9, title: 'x', author }, { persist: false })),
  'data of em.upsert': (em, { author }) => em.upsert(Book, { id: 1, title: 'x', author }),
  'data of em.upsertMany': (em, { author }) => em.upsertMany(Book, [{ id: 1, title: 'x', author }]),
  'data of em.nativeUpdate': (em, { author }) => em.nativeUpdate(Book, 1, { author }),
  'data of em.assign': async (em, { author }) => {
    em.assign(await em.findOneOrFail(Book, 1), { author });
    await em.flush();
  },
  'overrides of em.clone': (em, { author }) => em.clone(Book, 1, { author }),
  'em.nativeUpdate where': (em, { author }) => em.nativeUpdate(Book, { author }, { title: 'x' }),
  'em.nativeDelete where': (em, { book }) => em.nativeDelete(Loan, { book }),
  'em.find where': (em, { author }) => em.find(Book, { author }),
  'em.find where, as itself': (em, { book }) => em.find(Book, book),
  'em.find where, in an operator': (em, { author }) => em.find(Book, { $or: [{ author: { $in: [author] } }] }),
  'em.find of a shared entity': (em, { author }) => em.find(Genre, {}, { populateWhere: { id: author } as never }),
  'em.findOne where': (em, { book }) => em.findOne(Book, book),
  'em.findOne where, with the own row loaded': async (em, { book }) => {
    await em.findOneOrFail(Book, 1);
    return em.findOne(Book, book);
  },
  'repository.find where': (em, { author }) => em.getRepository(Book).find({ author }),
  'repository.nativeUpdate': (em, { author }) => em.getRepository(Book).nativeUpdate(1, { author }),
  'em.findAndCount where': (em, { author }) => em.findAndCount(Book, { author }),
  'em.findAll where': (em, { author }) => em.findAll(Book, { where: { author } }),
  'em.findByCursor where': (em, { author }) => em.findByCursor(Book, { where: { author }, first: 1, orderBy: { id: 'asc' } }),
  'em.countBy where': (em, { author }) => em.countBy(Book, 'author', { where: { author } }),
  'em.count where': (em, { author }) => em.count(Book, { author }),
  'qb.where': (em, { author }) => em.qb(Book).where({ author }).getResult(),
  'qb.orWhere': (em, { author }) => em.qb(Book).where({ id: 7 }).orWhere({ author }).getResult(),
  'qb.leftJoin': (em, { author }) =>
    em
      .qb(Book, 'b')
      .leftJoin('b.author', 'a', { id: author } as never)
      .getResult(),
  'qb.update': (em, { author }) => em.qb(Book).update({ author }).where({ id: 1 }).execute(),
  'qb.insert': (em, { author }) => em.qb(Book).insert({ id: 9, title: 'x', author }).execute(),
  'qb.insert, as itself': (em, { tag }) => em.qb(Tag).insert(tag).onConflict('id').merge().execute(),
  'qb.merge': (em, { author }) => em.qb(Book).insert({ id: 1, title: 'x', author: 1 }).onConflict().merge({ author }).execute(),
  'qb.delete': (em, { book }) => em.qb(Loan).delete({ book }).execute(),
};

/** Where MikroORM accepts only a key: it would send an entity as `[object Object]`. */
const KEYS_ONLY: readonly string[] = ['qb.merge', 'overrides of em.clone'];

/** If the entity is the whole condition or the whole row, the error names no property. */
const NAMELESS = /as itself|findOne|qb.leftJoin/;

onDatabasesAndPooler('entities of another tenant', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  const of = (tenant: string): Promise<Given> =>
    runInTenant(tenant, async em => {
      const book = await em.findOneOrFail(Book, 1, { populate: ['author'] });

      return { book, author: book.author, tag: await em.findOneOrFail(Tag, 1) };
    });

  before(async () => {
    orm = await openTwins(database);
    untouched = await everyRowOfTwins(database);
  });

  for (const [name, use] of Object.entries({ ...AS_ITSELF, ...AS_VALUE })) {
    it(`law 2: an entity of another tenant as "${name}" is refused, and no row is written`, async () => {
      const bobs = await of('bob');
      const error = await runInTenant('acme', em => refusal(() => use(em.fork(), bobs), 'CROSS_TENANT'));
      expect(error).to.deep.include({ schemaNames: ['acme', 'bob'] });

      if (name in AS_VALUE && !NAMELESS.test(name)) {
        expect((error as CrossTenantError).property).to.match(/^(Book\.author|Loan\.book|Genre\.id)$/);
      }

      await refusal(() => use(orm.em.fork({ schema: 'acme' }), bobs), 'CROSS_TENANT', 'named, in no scope');

      expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
      expect(wrap(bobs.book, true).__schema).to.equal('bob');
    });
  }

  for (const [name, use] of Object.entries(AS_VALUE).filter(([each]) => !KEYS_ONLY.includes(each))) {
    it(`law 2: an entity of the own tenant as "${name}" is taken`, async () => {
      const own = await of('acme');
      const work = (em: TenantEntityManager): Promise<unknown> => rollBackAfter(em, inner => use(inner, own));

      await work(orm.em.fork({ schema: 'acme' }));
      await runInTenant('acme', work);

      expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
    });
  }
});
