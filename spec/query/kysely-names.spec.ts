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
  'json_agg() of a table, in a query of its own': kysely => kysely.selectFrom(books(kysely).as('found')).selectAll().execute(),
  'json_agg() of a table, in each part of a union': kysely => books(kysely).unionAll(books(kysely)).execute(),
  'to_json() of a table, in a CTE that was built before': kysely =>
    kysely
      .with(
        'found',
        kysely.selectFrom('book').select(({ fn }) => fn.toJson('book').as('title')),
      )
      .selectFrom('found')
      .selectAll()
      .execute(),
  'for update of a table, in a query of its own': kysely =>
    kysely.selectFrom(kysely.selectFrom('book').select('title').forUpdate('book').as('found')).selectAll().execute(),
  'an alias that a table of the query outside has the name of': kysely =>
    kysely
      .selectFrom('author')
      .select(eb =>
        eb
          .selectFrom('book as author')
          .select(sql<string>`string_agg(${sql.ref('author.title')}, ',')`.as('title'))
          .where('author.title' as never, 'is not', null)
          .as('titles'),
      )
      .execute(),
  'an alias in a CTE that a table of the query has the name of': kysely =>
    kysely
      .with('t', query => query.selectFrom('book as author').select('author.title'))
      .selectFrom(['t', 'author'])
      .select(['t.title', 'author.name'])
      .execute(),
  'a table in a query of its own, in one that has an alias of its name': kysely =>
    kysely
      .selectFrom('author as book')
      .select(eb =>
        eb
          .selectFrom('book')
          .select(({ fn }) => fn.agg<string>('string_agg', ['book.title', sql.lit(',')]).as('titles'))
          .as('titles'),
      )
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

function books(kysely: Kysely<Tables>) {
  return kysely.selectFrom('book').select(({ fn }) => fn.jsonAgg('book').as('titles'));
}

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

  it('law 2 json_agg() and for update of a table, after withSchema(), are as without tenants', async () => {
    await runInTenant('acme', async em => {
      const own = kyselyOf(em).withSchema('acme');
      expect(JSON.stringify(await books(own).execute())).to.contain('acme book 1');
      expect(JSON.stringify(await own.selectFrom('book').select('title').forUpdate('book').execute())).to.contain('acme book 1');
      await refusal(() => books(kyselyOf(em).withSchema('bob')).execute(), 'CROSS_TENANT');
    });
  });
});
