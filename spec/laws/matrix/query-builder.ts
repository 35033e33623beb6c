import type { TenantEntityManager } from '@landlord/mikro-orm';
import { raw, sql } from '@mikro-orm/core';
import type { QueryBuilder } from '@mikro-orm/sql';
import { Author, Book, Loan, Tag } from '../../../fixtures/entities/index.ts';
import type { Expected, Row, Table } from './cell.ts';
import { collect } from './entity-manager.ts';
import { Memo } from './entities.ts';

const STAYS: Expected = {
  'made in a scope, used in another': 'acme',
  'made in no scope of a tenant by name, used in the scope of another': 'acme',
};

/** A query for books with alias `b`, and one for authors with alias `a`, of the same EntityManager. */
interface Queries {
  readonly books: QueryBuilder<Book, 'b'>;
  readonly authors: QueryBuilder<Author, 'a'>;
}

/**
 * The ways in which a QueryBuilder reaches the database. It runs in the scope that it was created in, so in another tenant's scope it still
 * uses its own tenant.
 */
export const QUERY_BUILDER: Table = {
  execute: query(({ books }) => books.execute()),
  getResult: query(({ books }) => books.getResult()),
  getResultList: query(({ books }) => books.getResultList()),
  getSingleResult: query(({ books }) => books.limit(1).getSingleResult()),
  getCount: query(({ books }) => books.leftJoin('b.tags', 't').getCount()),
  getResultAndCount: query(({ books }) => books.leftJoinAndSelect('b.tags', 't').where({ 't.id': 1 }).limit(1).getResultAndCount()),
  stream: query(({ books }) => collect(books.stream()), { notOnPglite: true }),
  count: query(({ books }) => books.count('b.id', true).execute()),
  select: query(({ books }) => books.select(['b.id', 'b.title']).execute()),
  addSelect: query(({ books }) => books.select('b.id').addSelect('b.title').execute()),
  'select, a sub-query': query(
    ({ books, authors }) =>
      books
        .select([
          raw('b.id'),
          authors
            .count('a.id')
            .where({ id: sql.ref('b.author_id') })
            .as('n'),
        ])
        .execute(),
    { embeds: 'authors' },
  ),
  distinct: query(({ books }) => books.select('b.title').distinct().execute()),
  distinctOn: query(({ books }) => books.select(['b.id', 'b.title']).distinctOn('b.id').execute()),
  where: query(({ books }) => books.where({ author: { name: { $ne: '' } }, tags: { name: { $ne: '' } } }).getResult()),
  'where, a sub-query': query(({ books, authors }) => books.where({ author: { $in: authors.select('a.id') } }).getResult(), {
    embeds: 'authors',
  }),
  'where, $some': query(({ books }) => books.where({ tags: { $some: { name: { $ne: '' } } } }).getResult()),
  andWhere: query(({ books }) =>
    books
      .where({ id: 1 })
      .andWhere({ author: { name: { $ne: '' } } })
      .getResult(),
  ),
  orWhere: query(({ books }) =>
    books
      .where({ id: 7 })
      .orWhere({ author: { name: { $ne: '' } } })
      .getResult(),
  ),
  orderBy: query(({ books }) => books.orderBy({ author: { name: 'asc' } }).getResult()),
  andOrderBy: query(({ books }) =>
    books
      .orderBy({ title: 'asc' })
      .andOrderBy({ author: { name: 'asc' } })
      .getResult(),
  ),
  groupBy: query(({ books }) =>
    books
      .select(['b.author', raw('count(*) as n')])
      .groupBy('b.author')
      .execute(),
  ),
  having: query(({ books }) =>
    books
      .select(['b.author', raw('count(*) as n')])
      .groupBy('b.author')
      .having('count(*) > 0')
      .execute(),
  ),
  andHaving: query(({ books }) =>
    books
      .select(['b.author', raw('count(*) as n')])
      .groupBy('b.author')
      .having('count(*) > 0')
      .andHaving('count(*) >= 1')
      .execute(),
  ),
  orHaving: query(({ books }) =>
    books
      .select(['b.author', raw('count(*) as n')])
      .groupBy('b.author')
      .having('count(*) < 0')
      .orHaving('count(*) > 0')
      .execute(),
  ),
  join: query(({ books }) => books.join('b.author', 'x').join('b.tags', 't').orderBy({ 'b.id': 1 }).getResult()),
  innerJoin: query(({ books }) => books.innerJoin('b.tags', 't').orderBy({ 'b.id': 1 }).getResult()),
  leftJoin: query(({ books }) =>
    books.leftJoin('b.author', 'x').leftJoin('b.tags', 't').leftJoin('b.genre', 'g').orderBy({ 'b.id': 1 }).getResult(),
  ),
  joinAndSelect: query(({ books }) => books.joinAndSelect('b.author', 'x').orderBy({ 'b.id': 1 }).getResult()),
  innerJoinAndSelect: query(({ books }) => books.innerJoinAndSelect('b.tags', 't').orderBy({ 'b.id': 1, 't.id': 1 }).getResult()),
  leftJoinAndSelect: query(({ books }) => books.leftJoinAndSelect('b.tags', 't').leftJoinAndSelect('b.author', 'x').limit(1).getResult()),
  innerJoinLateral: query(({ books, authors }) => books.innerJoinLateral(authors.limit(1), 'x', { 'x.id': { $gt: 0 } }).execute(), {
    embeds: 'authors',
  }),
  leftJoinLateral: query(({ books, authors }) => books.leftJoinLateral(authors.limit(1), 'x', { 'x.id': { $gt: 0 } }).execute(), {
    embeds: 'authors',
  }),
  innerJoinLateralAndSelect: query(
    ({ books, authors }) => books.innerJoinLateralAndSelect(['b.author', authors.where({ id: 1 })] as never, 'x').getResult(),
    { embeds: 'authors' },
  ),
  leftJoinLateralAndSelect: query(
    ({ books, authors }) => books.leftJoinLateralAndSelect(['b.author', authors.where({ id: 1 })] as never, 'x').getResult(),
    { embeds: 'authors' },
  ),
  withSubQuery: {
    ...query(() => undefined),
    make: (em, { schema }) =>
      em
        .qb(Memo, 'm')
        .withSchema(schema)
        .withSubQuery(em.qb(Author, 'a').withSchema(schema).count('a.id').toRaw(), 'm.authors')
        .where({ authors: { $gte: 0 } }),
    use: (made: { getResult(): unknown }) => made.getResult(),
  },
  from: query(({ books, authors }) => authors.from(books as never).execute(), { embeds: 'books' }),
  'from, an entity': query(({ books }) => books.from(Author as never).execute()),
  with: query(
    ({ books, authors }) =>
      books
        .with('prolific', authors.select('a.id'))
        .where({ author: { $in: raw('(select id from prolific)') } })
        .getResult(),
    { embeds: 'authors' },
  ),
  withRecursive: query(({ books, authors }) => books.withRecursive('prolific', authors.select('a.id')).getResult(), { embeds: 'authors' }),
  union: query(({ books, authors }) => books.select('b.id').union(authors.select('a.id')).execute(), { embeds: 'authors' }),
  unionAll: query(({ books, authors }) => books.select('b.id').unionAll(authors.select('a.id')).execute(), { embeds: 'authors' }),
  as: query(({ books, authors }) => books.select(['b.id', authors.select('a.name').where({ id: 1 }).as('name')]).execute(), {
    embeds: 'authors',
  }),
  clone: query(({ books }) => books.leftJoin('tags', 't').clone().where({ 't.id': 1 }).getResult()),
  populate: query(({ books }) => {
    const hints = [{ field: 'author' }, { field: 'tags' }] as never;

    return books.populate(hints).getResult();
  }),
  limit: query(({ books }) => books.limit(1).getResult()),
  offset: query(({ books }) => books.limit(1).offset(1).getResult()),
  setLockMode: query(({ books }) => books.setLockMode(4).getResult(), { writes: true }),
  applyFilters: query(async ({ books }) => {
    await books.applyFilters();

    return books.getResult();
  }),
  withSchema: query(({ books }) => books.getResult()),
  getQuery: query(({ books }) => books.leftJoin('b.tags', 't').getQuery(), { quiet: true }),
  getFormattedQuery: query(({ books }) => books.leftJoin('b.tags', 't').getFormattedQuery(), { quiet: true }),
  toQuery: query(({ books }) => books.leftJoin('b.tags', 't').toQuery().sql, { quiet: true }),
  toRaw: query(({ books }) => books.toRaw().sql, { quiet: true }),
  getParams: query(({ books }) => books.where({ title: 'x' }).getParams(), { quiet: true }),
  getNativeQuery: query(({ books }) => books.getNativeQuery().compile().sql, { quiet: true }),

  insert: write((em, schema) => em.qb(Tag).withSchema(schema).insert({ id: 107, name: 'by qb' })),
  onConflict: write((em, schema) => em.qb(Tag).withSchema(schema).insert({ id: 1, name: 'by qb' }).onConflict('id').ignore()),
  ignore: write((em, schema) => em.qb(Tag).withSchema(schema).insert({ id: 1, name: 'by qb' }).onConflict('id').ignore()),
  merge: write((em, schema) => em.qb(Tag).withSchema(schema).insert({ id: 1, name: 'by qb' }).onConflict('id').merge(['name'])),
  returning: write((em, schema) => em.qb(Tag).withSchema(schema).insert({ id: 107, name: 'by qb' }).returning(['id', 'name'])),
  insertFrom: {
    ...write((em, schema) =>
      em
        .qb(Memo)
        .withSchema(schema)
        .insertFrom(em.qb(Memo, 'm').withSchema(schema).select(['m.text', 'm.author']).where({ id: 1 }), { columns: ['text', 'author'] }),
    ),
    varies: true,
  },
  update: write((em, schema) =>
    em
      .qb(Book, 'b')
      .withSchema(schema)
      .update({ title: 'by qb' })
      .where({ author: { name: { $ne: '' } } }),
  ),
  delete: write((em, schema) =>
    em
      .qb(Loan, 'l')
      .withSchema(schema)
      .delete({ book: { title: { $ne: '' } } }),
  ),
  truncate: write((em, schema) => em.qb(Loan).withSchema(schema).truncate()),
};

function query(use: (queries: Queries) => unknown, more: Partial<Row> = {}): Row<Queries> {
  return {
    make: (em, { schema }) => ({ books: em.qb(Book, 'b').withSchema(schema), authors: em.qb(Author, 'a').withSchema(schema) }),
    use,
    expect: STAYS,
    ...more,
  };
}

function write(make: (em: TenantEntityManager, schema: string | undefined) => { execute(): unknown }): Row<{ execute(): unknown }> {
  return { make: (em, { schema }) => make(em, schema), use: made => made.execute(), writes: true, expect: STAYS };
}
