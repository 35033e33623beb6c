import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { sql, type Kysely } from 'kysely';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';

interface Tables {
  book: { id: number; title: string; sequel_of_id: number | null };
  author: { id: number; name: string };
}

type Query = (kysely: Kysely<Tables>) => Promise<unknown>;

const QUERIES: Readonly<Record<string, Query>> = {
  'a CTE with the name of the table it reads': kysely =>
    kysely
      .with('book', query => query.selectFrom('book').select('book.title'))
      .selectFrom('book')
      .selectAll()
      .execute(),
  'a CTE that reads a table a later one has the name of': kysely =>
    kysely
      .with('first', query => query.selectFrom('book').select('title'))
      .with('book', query => query.selectFrom('first').select('title'))
      .selectFrom('book')
      .selectAll()
      .execute(),
  'a CTE that reads one before it': kysely =>
    kysely
      .with('author', query => query.selectFrom('book').select('title'))
      .with('last', query => query.selectFrom('author').selectAll())
      .selectFrom('last')
      .selectAll()
      .execute(),
  'a CTE in a CTE': kysely =>
    kysely
      .with('book', query =>
        query
          .with('author', inner => inner.selectFrom('book').select('title'))
          .selectFrom('author')
          .selectAll(),
      )
      .selectFrom('book')
      .selectAll()
      .execute(),
  'a CTE in one before a later one of its name': kysely =>
    kysely
      .with('first', query =>
        query
          .with('author', inner => inner.selectFrom('book').select('title'))
          .selectFrom('author')
          .selectAll(),
      )
      .with('author', query => query.selectFrom('first').select('title'))
      .selectFrom('author')
      .selectAll()
      .execute(),
  'a CTE with one of its own, before a later one of the name of the table it reads': kysely =>
    kysely
      .with('first', query =>
        query
          .with('one', inner => inner.selectNoFrom(sql`1`.as('one')))
          .selectFrom('book')
          .select('title'),
      )
      .with('book', query => query.selectFrom('first').select('title'))
      .selectFrom('book')
      .selectAll()
      .execute(),
  'a CTE with the name of an alias in it': kysely =>
    kysely
      .with('b', query => query.selectFrom('book as b').select('b.title'))
      .selectFrom('b')
      .selectAll()
      .execute(),
  'a recursive CTE': kysely =>
    kysely
      .withRecursive('t', query =>
        query
          .selectFrom('book')
          .select(['id', 'title'])
          .where('sequel_of_id', 'is', null)
          .unionAll(inner => inner.selectFrom('book').innerJoin('t', 't.id', 'book.sequel_of_id').select(['book.id', 'book.title'])),
      )
      .selectFrom('t')
      .selectAll()
      .execute(),
  'sql.table()': kysely => kysely.selectFrom(sql.table('book').as('b')).selectAll().execute(),
  'sql.table() in SQL': async kysely => (await sql`select title from ${sql.table('book')}`.execute(kysely)).rows,
  'sql.table() in a CTE of its name': kysely =>
    kysely
      .with('book', () => sql<{ title: string }>`(select title from ${sql.table('book')})` as never)
      .selectFrom('book' as never)
      .selectAll()
      .execute(),
  'sql.table() that names a CTE': kysely =>
    kysely
      .with('author', query => query.selectFrom('book').select('title'))
      .selectFrom(sql<{ title: string }>`(select title from ${sql.table('author')})`.as('found'))
      .selectAll()
      .execute(),
  'sql.table() in a CTE that names one before it': kysely =>
    kysely
      .with('author', query => query.selectFrom('book').select('title'))
      .with('last', () => sql<{ title: string }>`(select title from ${sql.table('author')})` as never)
      .selectFrom('last' as never)
      .selectAll()
      .execute(),
  'sql.table() beside one that no entity has': async kysely =>
    (await sql`select title from ${sql.table('book')} where exists (select from ${sql.table('pg_namespace')})`.execute(kysely)).rows,
};

onDatabasesAndPooler('names in Kysely', database => {
  let orm: LibraryOrm;
  const kyselyOf = (em: TenantEntityManager): Kysely<Tables> => em.getKysely();

  before(async () => {
    orm = await openTwins(database);
  });

  for (const [name, query] of Object.entries(QUERIES)) {
    it(`law 1, law 2, law 3: ${name} is read from the tenant, and refused without one`, async () => {
      for (const tenant of ['acme', 'bob']) {
        const rows = JSON.stringify(await runInTenant(tenant, em => query(kyselyOf(em))));
        expect(rows).to.contain(`${tenant} book 1`).and.to.contain(`${tenant} book 2`);
        expect(rows).not.to.contain('decoy');
      }

      database.statements.length = 0;
      await refusal(() => query(kyselyOf(orm.em.fork())), 'TENANT_CONTEXT_REQUIRED', 'none');
      await runInPublic(em => refusal(() => query(kyselyOf(em)), 'TENANT_CONTEXT_REQUIRED', 'public'));
      expect(database.statements.filter(sent => sent.includes('"book"'))).to.deep.equal([]);
    });
  }
});
