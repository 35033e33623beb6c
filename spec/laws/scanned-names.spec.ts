import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** Each reads the tenant's book, by a name that is easily missed. In the public schema the same name is something else. */
const READS: readonly string[] = [
  `/* /* */ ' */ select title from book where id = 1 --'`,
  `/* /* " */ */ select title from book where id = 1 /* " */`,
  `select title from/* /* */ from "acme"."tag" */book where id = 1`,
  `select last('x') as "title"`,
  `select first ( 'x' ) as "title"`,
  `select key/* of all */('x') as "title"`,
  `select left(1) as "title"`,
  `select like(1) as "title"`,
  `select (1 <%> 1) as "title"`,
  `select (<%> 1) as "title"`,
];

/** Each has a value that the type has in one tenant alone. */
const TYPES = [
  ['acme', `select share 'of acme' as "title"`],
  ['bob', `select share 'of bob' as "title"`],
  ['acme', `select "share" 'of acme' as "title"`],
  ['acme', `select (share 'of acme') as "title"`],
  ['bob', `select share/* of all */'of bob' as "title"`],
] as const;

onDatabasesAndPooler('names that are easily missed, on a pool of one', database => {
  let orm: LibraryOrm;

  const titleBy = async (em: TenantEntityManager, sql: string): Promise<string | undefined> =>
    (await em.execute<{ title: string }[]>(sql))[0]?.title;

  before(async () => {
    orm = await openTwins(database, { pool: { min: 1, max: 1 } });

    for (const [schema, title] of [
      ['acme', 'acme book 1'],
      ['bob', 'bob book 1'],
      ['public', 'decoy'],
    ] as const) {
      for (const name of ['last', 'first', 'key']) {
        await database.query(`create function ${schema}.${name}(text) returns text language sql as $$ select '${title}'::text $$`);
      }

      for (const name of ['left', 'like']) {
        await database.query(`create function ${schema}."${name}"(int) returns text language sql as $$ select '${title}'::text $$`);
      }

      await database.query(`create function ${schema}.two(int, int) returns text language sql as $$ select '${title}'::text $$`);
      await database.query(`create function ${schema}.one(int) returns text language sql as $$ select '${title}'::text $$`);
      await database.query(`create operator ${schema}.<%> (leftarg = int, rightarg = int, function = ${schema}.two)`);
      await database.query(`create operator ${schema}.<%> (rightarg = int, function = ${schema}.one)`);

      // no other has the value
      await database.query(`create type ${schema}.share as enum ('of ${schema}')`);
    }
  });

  for (const sql of READS) {
    it(`law 2: it is the tenant’s own: ${sql}`, async () => {
      expect(await runInTenant('acme', em => titleBy(em, sql))).to.equal('acme book 1');
      expect(await runInTenant('bob', em => em.transactional(tx => titleBy(tx, sql)))).to.equal('bob book 1');
      expect(await runInPublic(em => titleBy(em, sql))).to.equal('decoy');
      expect(await titleBy(orm.em.fork(), sql)).to.equal('decoy');
    });
  }

  for (const [schema, sql] of TYPES) {
    it(`law 2: the type is the tenant’s own: ${sql}`, async () => {
      expect(await runInTenant(schema, em => titleBy(em, sql))).to.equal(`of ${schema}`);
    });
  }

  it('law 2: a table of the public schema is not emptied with a tenant’s', async () => {
    await runInTenant('acme', em => em.execute('create table wish (id int)'));
    await database.query('create table public.wish as select 1 as id');
    await runInTenant('acme', em => em.execute('insert into wish values (1)'));
    await runInTenant('acme', em => em.execute('truncate table "acme"."wish", "wish"'));

    expect(await database.query('select id from public.wish')).to.have.length(1);
    expect(await database.query('select id from acme.wish')).to.deep.equal([]);
  });
});
