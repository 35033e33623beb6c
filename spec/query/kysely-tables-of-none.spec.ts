import { currentSchema, runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { sql, type Kysely } from 'kysely';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';

/** `book` has an entity, and nothing else has one. */
interface Tables {
  book: { id: number; title: string };
  ledger: { id: number; title: string };
  rate: { id: number; title: string };
  scratch: { id: number; title: string };
  pg_tables: { schemaname: string; tablename: string };
}

const UNDEFINED_TABLE = '42P01';

onDatabasesAndPooler('tables of no entity in Kysely', database => {
  let orm: LibraryOrm;
  let untouched: unknown;
  const kyselyOf = (em: TenantEntityManager): Kysely<Tables> => em.getKysely();

  before(async () => {
    orm = await openTwins(database);

    for (const name of ['acme', 'bob']) {
      await database.query(`create table ${name}.ledger as select id, title from ${name}.book`);
    }

    await database.query(`create table public.ledger as select id, 'decoy' as title from acme.book`);
    await database.query(`create table public.rate as select 1 as id, 'rate 1' as title`);
    untouched = await everyRowOfTwins(database);
  });

  afterEach(async () => {
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  const places: Readonly<Record<string, <T>(tenant: string, fn: (db: Kysely<Tables>) => Promise<T>) => Promise<T>>> = {
    'in its scope': (tenant, fn) => runInTenant(tenant, em => fn(kyselyOf(em))),
    'in a transaction': (tenant, fn) => runInTenant(tenant, em => em.transactional(tx => fn(kyselyOf(tx)))),
    'in a transaction of Kysely’s': (tenant, fn) => runInTenant(tenant, em => kyselyOf(em).transaction().execute(fn)),
    'of a fork': (tenant, fn) => fn(kyselyOf(orm.em.fork({ schema: tenant }))),
  };

  for (const [place, enter] of Object.entries(places)) {
    it(`law 2, G4 Kysely ${place} reads and writes the tenant’s, and finds one that is only in the public schema`, async () => {
      for (const tenant of ['acme', 'bob']) {
        await enter(tenant, async db => {
          expect(await db.selectFrom('ledger').select('title').where('id', '=', 1).execute()).to.deep.equal([
            { title: `${tenant} book 1` },
          ]);
          const updated = await db
            .updateTable('ledger')
            .set({ title: `${tenant} book 1` })
            .where('id', '=', 1)
            .returning('title')
            .execute();
          expect(updated).to.deep.equal([{ title: `${tenant} book 1` }]);
          await db
            .insertInto('ledger')
            .values({ id: 3, title: `${tenant} book 3` })
            .execute();
          expect(await db.deleteFrom('ledger').where('id', '=', 3).returning('title').execute()).to.deep.equal([
            { title: `${tenant} book 3` },
          ]);
          expect(await db.selectFrom('rate').select('title').execute()).to.deep.equal([{ title: 'rate 1' }]);
          const joined = db.selectFrom('book').innerJoin('rate', 'rate.id', 'book.id').select(['book.title', 'rate.title as rate']);
          expect(await joined.execute()).to.deep.equal([{ title: `${tenant} book 1`, rate: 'rate 1' }]);
        });
        expect(await database.query(`select count(*)::int as n from public.ledger where title = 'decoy'`)).to.deep.equal([{ n: 2 }]);
        expect(await database.query(`select count(*)::int as n from public.ledger`)).to.deep.equal([{ n: 2 }]);
      }
    });

    it(`G4 Kysely ${place} finds what PostgreSQL has of its own`, async () => {
      const tables = await enter('acme', db =>
        db.selectFrom('pg_tables').select('tablename').where('schemaname', '=', 'acme').where('tablename', '=', 'ledger').execute(),
      );
      expect(tables).to.deep.equal([{ tablename: 'ledger' }]);
    });

    it(`G4 a query of Kysely ${place} that was built by itself finds the CTE of the one that it is in`, async () => {
      const found = await enter('acme', db =>
        db
          .with('scratch', query => query.selectFrom('book').select(['id', 'title']))
          .selectFrom('book')
          .select('title')
          .where('id', 'in', db.selectFrom('scratch').select('id').where('id', '=', 2))
          .execute(),
      );
      expect(found).to.deep.equal([{ title: 'acme book 2' }]);
    });
  }

  for (const [place, enter] of Object.entries(places).filter(([name]) => name.includes('transaction'))) {
    it(`G4 a temporary table and view of Kysely ${place} serve as without tenants`, async () => {
      await enter('acme', async db => {
        await db.schema
          .createTable('scratch')
          .temporary()
          .addColumn('id', 'integer', column => column.primaryKey())
          .addColumn('of', 'integer', column => column.references('scratch.id'))
          .addColumn('title', 'text')
          .onCommit('drop')
          .execute();
        await db
          .insertInto('scratch')
          .columns(['id', 'title'])
          .expression(db.selectFrom('book').select(['id', 'title']))
          .execute();
        await db.updateTable('scratch').set({ title: 'new' }).where('id', '=', 2).execute();
        const joined = db.selectFrom('book').innerJoin('scratch', 'scratch.id', 'book.id').select('scratch.title').orderBy('book.id');
        expect(await joined.execute()).to.deep.equal([{ title: 'acme book 1' }, { title: 'new' }]);

        await db.schema.createView('seen').temporary().as(db.selectFrom('book').select('title')).execute();
        expect((await sql`select title from seen order by title`.execute(db)).rows).to.deep.equal([
          { title: 'acme book 1' },
          { title: 'acme book 2' },
        ]);
        await db.schema.withSchema('pg_temp').dropView('seen').execute();
      });
      expect(
        await database.query(`select nspname from pg_class join pg_namespace n on n.oid = relnamespace where relname = 'scratch'`),
      ).to.deep.equal([]);
    });
  }

  it('T16, law 3 Kysely’s schema builder makes, changes and drops the tenant’s, and nothing of the public schema’s name', async () => {
    await runInTenant('acme', async em => {
      const { schema } = kyselyOf(em);
      expect(sqlStateOf(await failureOf(schema.dropTable('rate').execute()))).to.equal(UNDEFINED_TABLE);
      await schema.dropTable('rate').ifExists().execute();
      expect(sqlStateOf(await failureOf(schema.alterTable('rate').addColumn('more', 'text').execute()))).to.equal(UNDEFINED_TABLE);
      expect(sqlStateOf(await failureOf(schema.createIndex('rate_id').on('rate').column('id').execute()))).to.equal(UNDEFINED_TABLE);
      await schema.createTable('rate').addColumn('id', 'integer').execute();
      expect(await kyselyOf(em).selectFrom('rate').selectAll().execute()).to.deep.equal([]);
      await schema.dropTable('rate').execute();
      expect(currentSchema()).to.equal('acme');
    });
    expect(await database.query('select * from public.rate')).to.deep.equal([{ id: 1, title: 'rate 1' }]);
  });

  it('law 2 in the public scope it is the public schema’s, and no tenant’s', async () => {
    const titles = await runInPublic(em => kyselyOf(em).selectFrom('ledger').select('title').distinct().execute());
    expect(titles).to.deep.equal([{ title: 'decoy' }]);
  });
});
