import type { TenantEntityManager } from '@landlord/mikro-orm';
import { LockMode, raw, sql } from '@mikro-orm/core';
import { Author, Book, Genre, Loan, LoanSummary, Tag } from '../../fixtures/entities/index.ts';

type Path = (em: TenantEntityManager) => unknown;

/** The ways to read tenant entities through MikroORM. */
export const READS: Readonly<Record<string, Path>> = {
  find: em => em.find(Book, {}),
  'find by related': em => em.find(Book, { author: { name: { $ne: '' } }, genre: { name: 'crime' }, tags: { name: { $ne: '' } } }),
  'find with limit and populate': em =>
    em.find(Book, { tags: { name: { $ne: '' } } }, { limit: 1, populate: ['tags'], strategy: 'joined' }),
  'find $some': em => em.find(Book, { tags: { $some: { name: { $ne: '' } } } }),
  'find $none': em => em.find(Author, { books: { $none: { genre: { name: 'none' } } } }),
  'find $every': em => em.find(Author, { books: { $every: { tags: { $some: { name: { $ne: '' } } } } } }),
  'find $exists': em => em.find(Book, { sequelOf: { $exists: true } }),
  'find unmanaged': em => em.find(Book, {}, { disableIdentityMap: true }),
  findAll: em => em.findAll(Book),
  findOne: em => em.findOne(Book, 1),
  findOneOrFail: em => em.findOneOrFail(Book, { id: 1 }),
  findAndCount: em => em.findAndCount(Book, { tags: { name: { $ne: '' } } }, { limit: 1 }),
  findByCursor: em => em.findByCursor(Book, { first: 1, orderBy: { id: 'asc' } }),
  'populate *, select-in': em => em.find(Book, {}, { populate: ['*'], strategy: 'select-in' }),
  'populate *, joined': em => em.find(Book, {}, { populate: ['*'], strategy: 'joined' }),
  'populate *, balanced': em => em.find(Book, {}, { populate: ['*'], strategy: 'balanced' }),
  'populate, joined': em => em.find(Book, {}, { populate: ['author.books.tags', 'genre', 'sequelOf'], strategy: 'joined' }),
  'populate, balanced': em => em.find(Book, {}, { populate: ['author.books.tags', 'genre', 'sequelOf'], strategy: 'balanced' }),
  'populate, select-in': em => em.find(Book, {}, { populate: ['author.books.tags', 'genre', 'sequelOf'], strategy: 'select-in' }),
  'em.populate': async em => em.populate(await em.find(Book, {}), ['author', 'tags']),
  'Collection.init': async em => (await em.findOneOrFail(Book, 1)).tags.init(),
  'Collection.loadItems': async em => (await em.findOneOrFail(Author, 1)).books.loadItems(),
  'Collection.loadCount': async em => (await em.findOneOrFail(Book, 2)).tags.loadCount(true),
  'Collection.matching': async em => (await em.findOneOrFail(Book, 2)).tags.matching({ where: { name: { $ne: '' } } }),
  'refresh of a reference': async em => em.refresh(em.getReference(Book, 2)),
  'refresh with relations': async em => em.refresh(await em.findOneOrFail(Book, 2, { populate: ['author', 'tags'] })),
  getReference: em => em.getReference(Book, 1),
  map: em => em.map(Book, { id: 1, title: 'mapped', author_id: 1 }),
  merge: em => em.merge(Book, { id: 1, title: 'merged', author: 1 }),
  'count by related': em => em.count(Book, { tags: { name: { $ne: '' } } }),
  countBy: em => em.countBy(Book, 'author', { where: { author: { name: { $ne: '' } } } }),
  view: em => em.find(LoanSummary, {}),
  repository: em => em.getRepository(Book).findAll(),
  'qb of a repository': em => em.getRepository(Book).qb('b').getResult(),
  qb: em =>
    em
      .qb(Book, 'b')
      .select('*')
      .where({ author: { name: { $ne: '' } } })
      .getResult(),
  'qb with joins': em =>
    em
      .qb(Book, 'b')
      .leftJoinAndSelect('b.author', 'a')
      .leftJoinAndSelect('b.tags', 't')
      .where({ 't.name': { $ne: '' } })
      .limit(1)
      .getResultAndCount(),
  'qb with a sub-query': em =>
    em
      .qb(Book, 'b')
      .where({ author: { $in: em.qb(Author, 'a').select('a.id') } })
      .getResult(),
  'qb from a sub-query': em => em.qb(Book, 'x').from(em.qb(Book, 'b'), 'x').select('*').execute(),
  'qb selecting a sub-query': em =>
    em
      .qb(Book, 'b')
      .select([
        raw('b.id'),
        em
          .qb(Author, 'a')
          .count('a.id')
          .where({ id: sql.ref('b.author_id') })
          .as('n'),
      ])
      .execute(),
  'qb count': em => em.qb(Book, 'b').leftJoin('b.tags', 't').getCount(),
  'qb clone': em => em.qb(Book, 'b').leftJoin('tags', 't').clone().where({ 't.id': 1 }).getResult(),
  'qb union': em => em.qb(Book, 'b').select('b.id').union(em.qb(Author, 'a').select('a.id')).execute(),
  'cached result': em => em.find(Author, {}, { cache: 60_000 }),
  'named cached result': em => em.find(Author, {}, { cache: ['authors', 60_000] }),
  'named cached count': em => em.count(Author, {}, { cache: ['authors count', 60_000] }),
  'named cached qb': em => em.qb(Author).cache(['authors qb', 60_000]).getResult(),
  'Kysely select': em => em.getKysely<Tables>().selectFrom('book').selectAll().execute(),
  'Kysely join': em =>
    em.getKysely<Tables>().selectFrom('book as b').innerJoin('genre as g', 'g.id', 'b.genre_id').select(['b.title', 'g.name']).execute(),
};

/** The ways to read row by row, which PGlite lacks. */
export const STREAMS: Readonly<Record<string, Path>> = {
  stream: em => collect(em.stream(Book, { populate: ['author', 'tags'] })),
  'qb stream': em => collect(em.qb(Book, 'b').stream()),
};

/** The ways to write tenant entities through MikroORM; each writes what is not there yet, or what is there in every schema. */
export const WRITES: Readonly<Record<string, Path>> = {
  'flush of a new entity': em => em.persistAndFlush(em.create(Book, { id: 101, title: 'new', author: 1, tags: [1] } as never)),
  'flush of a new entity made by hand': em => em.persistAndFlush(Object.assign(new Tag(), { id: 102, name: 'by hand' })),
  'flush of a change': async em => {
    const book = await em.findOneOrFail(Book, 1);
    book.title = 'changed';
    await em.flush();
  },
  'flush of an assignment': async em => {
    em.assign(await em.findOneOrFail(Book, 2), { author: 2, tags: [1] });
    await em.flush();
  },
  'flush of a collection': async em => {
    (await em.findOneOrFail(Book, 1, { populate: ['tags'] })).tags.add(em.getReference(Tag, 2));
    await em.flush();
  },
  'flush of a removal': async em => em.removeAndFlush(await em.findOneOrFail(Loan, 1)),
  'removal by reference': em => em.removeAndFlush(em.getReference(Loan, 1)),
  insert: em => em.insert(Tag, { id: 103, name: 'inserted' }),
  insertMany: em =>
    em.insertMany(Tag, [
      { id: 104, name: 'one' },
      { id: 105, name: 'two' },
    ]),
  upsert: em => em.upsert(Book, { id: 1, title: 'upserted', author: 1 }),
  upsertMany: em =>
    em.upsertMany(Tag, [
      { id: 1, name: 'upserted' },
      { id: 106, name: 'upserted too' },
    ]),
  nativeUpdate: em => em.nativeUpdate(Book, { author: { name: { $ne: '' } } }, { title: 'updated' }),
  nativeDelete: em => em.nativeDelete(Loan, { book: { title: { $ne: '' } } }),
  'qb insert': em => em.qb(Tag).insert({ id: 107, name: 'by qb' }).execute(),
  'qb update': em =>
    em
      .qb(Book, 'b')
      .update({ title: 'by qb' })
      .where({ author: { name: { $ne: '' } } })
      .execute(),
  'qb delete': em =>
    em
      .qb(Loan, 'l')
      .delete({ book: { title: { $ne: '' } } })
      .execute(),
  'qb truncate': em => em.qb(Loan).truncate().execute(),
  lock: async em => em.lock(await em.findOneOrFail(Book, 1), LockMode.PESSIMISTIC_WRITE),
  'Kysely insert': em => em.getKysely<Tables>().insertInto('tag').values({ id: 108, name: 'kysely' }).returningAll().execute(),
  'Kysely update': em =>
    em.getKysely<Tables>().updateTable('book').set({ title: 'kysely' }).where('book.id', '=', 1).returningAll().execute(),
  'Kysely delete': em => em.getKysely<Tables>().deleteFrom('loan').returningAll().execute(),
};

/** The ways to read shared entities alone. */
export const SHARED_READS: Readonly<Record<string, Path>> = {
  find: em => em.find(Genre, {}),
  count: em => em.count(Genre),
  qb: em => em.qb(Genre, 'g').getResult(),
  Kysely: em => em.getKysely<Tables>().selectFrom('genre').selectAll().execute(),
};

async function collect(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];

  for await (const row of rows) {
    all.push(row);
  }

  return all;
}

interface Tables {
  book: { id: number; title: string; genre_id: number | null };
  genre: { id: number; name: string };
  loan: { id: number };
  tag: { id: number; name: string };
}
