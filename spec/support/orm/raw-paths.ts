import type { TenantEntityManager } from '@landlord/mikro-orm';
import { raw, sql } from '@mikro-orm/core';
import { sql as kyselySql, type Kysely } from 'kysely';
import { Author, Book, Genre, Loan, Tag } from '../../../fixtures/entities/index.ts';

type Path = (em: TenantEntityManager) => Promise<unknown>;

/** The ways to send raw SQL. Each returns the titles of books, with an unqualified table name. */
export const STATEMENTS: Readonly<Record<string, Path>> = {
  'em.execute': em => em.execute(TITLES),
  'em.execute of raw()': em => em.execute(raw(TITLES)),
  'em.execute with a connection type': em => em.execute(TITLES, [], { connectionType: 'read' }),
  'em.execute of a function': em => em.execute(`select string_agg(title, ', ') from (table book) as every`),
  'em.execute after a failure that a savepoint takes back': async em => {
    // outside of a transaction there is no savepoint, and nothing to take back
    await em.execute('savepoint own').catch(() => undefined);
    await em.execute('select * from nowhere').catch(() => undefined);
    await em.execute('rollback to savepoint own').catch(() => undefined);

    return em.execute(TITLES);
  },
  'em.getConnection().execute': em => em.getConnection().execute(TITLES),
  'em.getConnection("read").execute': em => em.getConnection('read').execute(TITLES),
  'em.getDriver().execute': em => em.getDriver().execute(TITLES, [], 'all', em.getTransactionContext()),
  'em.getConnection().execute in the transaction': em => em.getConnection().execute(TITLES, [], 'all', em.getTransactionContext()),
  'em.getConnection().transactional': em => em.getConnection().transactional(ctx => em.getConnection().execute(TITLES, [], 'all', ctx)),
  'em.getConnection().begin': async em => {
    const connection = em.getConnection();
    const ctx = await connection.begin();
    const rows = await connection.execute(TITLES, [], 'all', ctx);
    await connection.commit(ctx);

    return rows;
  },
  'em.getConnection().getClient()': em => rowsOf(kyselySql.raw(TITLES).execute(em.getConnection().getClient())),
  'em.getConnection().executeDump': async em => {
    await em
      .getConnection()
      .executeDump(`create table dumped as select title from book;\nupdate dumped set title = title || ' from a dump';`);

    try {
      return await em.execute('select title from dumped');
    } finally {
      await em.execute('drop table dumped');
    }
  },
  'Kysely: sql': em => rowsOf(kyselySql.raw(TITLES).execute(kysely(em))),
  'Kysely: sql in a selection': em =>
    kysely(em)
      .selectFrom('genre')
      .select(kyselySql<string>`(select string_agg(title, ', ') from book)`.as('titles'))
      .execute(),
  'Kysely: sql in a condition': em =>
    kysely(em)
      .selectFrom('author')
      .selectAll()
      .where(kyselySql<boolean>`id in (select author_id from book where title like ${`${em.schema}%`})`)
      .execute(),
  'Kysely: sql.table and sql.ref': em =>
    rowsOf(
      kyselySql`select ${kyselySql.ref('b.title')} from ${kyselySql.table('book')} as b, tag where tag.id = b.id and tag.name like ${`${em.schema}%`}`.execute(
        kysely(em),
      ),
    ),
  'Kysely: a transaction': em =>
    kysely(em)
      .transaction()
      .execute(trx => rowsOf(kyselySql.raw(TITLES).execute(trx))),
};

/**
 * The ways to put raw SQL into a query of the ORM. Each returns something that only the tenant's schema contains. The public schema has no
 * `shelf`.
 */
export const FRAGMENTS: Readonly<Record<string, Path>> = {
  'raw() in a condition': em => em.find(Author, { id: { $in: raw(authors(em)) } }),
  'raw() as a key': em => em.find(Author, { [raw(`(select max(title) from book where author_id = 1)`)]: { $like: `${em.schema}%` } }),
  'sql of a shared entity': em =>
    em
      .find(Genre, {
        [raw(alias => `(select max(title) from book where genre_id = ${alias}.id)`)]: { $like: `${em.schema}%` },
      })
      .then(found => found.map(({ name }) => `${em.schema}: ${name}`)),
  'raw() in an order': em => em.find(Book, {}, { orderBy: { [raw('(select label from shelf)')]: 'asc' } as never }),
  'sql in populateWhere': em =>
    em.find(
      Author,
      {},
      { populate: ['books'], populateWhere: { books: { author: { $in: sql`(select author_id from shelf)` } } } as never },
    ),
  'em.count': em => em.count(Author, { id: { $in: raw(authors(em)) } }).then(count => (count > 0 ? em.schema : 'none')),
  'em.findOne': em => em.findOne(Author, { id: { $in: raw(authors(em)) } }),
  'em.findAndCount': em => em.findAndCount(Author, { id: { $in: raw(authors(em)) } }, { limit: 1 }),
  'a filter': em => {
    em.addFilter({ name: 'withBooks', cond: { id: { $in: raw(authors(em)) } } as never, entity: [Author] });

    return em.find(Author, {});
  },
  'qb.select': em => em.qb(Author, 'a').select(raw('(select max(title) from book where author_id = a.id) as titles')).execute(),
  'qb.where of SQL': em =>
    em
      .qb(Author, 'a')
      .where(`a.id in ${authors(em)}`)
      .getResult(),
  'qb.having': em =>
    em
      .qb(Author, 'a')
      .select('a.name')
      .groupBy(['a.id', 'a.name'])
      .having(`max(a.id) in ${authors(em)}`)
      .execute(),
  'qb.orderBy': em =>
    em
      .qb(Book, 'b')
      .orderBy({ [raw('(select label from shelf)')]: 'asc' } as never)
      .getResult(),
  'qb.getCount': em =>
    em
      .qb(Author, 'a')
      .where(`a.id in ${authors(em)}`)
      .getCount()
      .then(count => (count > 0 ? em.schema : 'none')),
  'em.nativeUpdate': async em => {
    await em.nativeUpdate(Book, { id: 1 }, { title: raw<string>(`(select title || '!' from book where id = 1)`) });

    return em.find(Book, {});
  },
  'em.insert': async em => {
    await em.insert(Tag, { id: 900, name: raw('(select max(title) from book)') });

    return em.find(Tag, { id: 900 });
  },
  'em.upsert': async em => {
    await em.upsert(Tag, { id: 901, name: raw<string>('(select max(title) from book)') });

    return em.fork({ keepTransactionContext: true }).find(Tag, { id: 901 });
  },
  flush: async em => {
    em.create(Tag, { id: 902, name: sql`(select max(title) from book)` });
    await em.flush();

    return em.fork({ keepTransactionContext: true }).find(Tag, { id: 902 });
  },
  'em.nativeDelete': em =>
    em.nativeDelete(Loan, { book: { $in: raw(`(select id from book ${ofTenant(em)})`) } }).then(count => (count > 0 ? em.schema : 'none')),
};

// the decoys and the other tenant have the same key, but not this value
function authors(em: TenantEntityManager): string {
  return `(select author_id from book ${ofTenant(em)})`;
}

async function rowsOf(result: Promise<{ readonly rows: unknown }>): Promise<unknown> {
  return (await result).rows;
}

function kysely(em: TenantEntityManager): Kysely<Tables> {
  return em.getKysely();
}

const TITLES = 'select title from book order by id';

interface Tables {
  author: { id: number; name: string };
  genre: { id: number; name: string };
}

// written out, because values are not allowed in statements
function ofTenant({ schema }: TenantEntityManager): string {
  return schema === 'acme' ? "where title like 'acme%'" : "where title like 'bob%'";
}
