import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { failureOf } from '../support/assertions/failure.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { until } from '../support/assertions/until.ts';

onDatabasesAndPooler('raw SQL that sets or loses its connection, on a pool of one', database => {
  let orm: LibraryOrm;
  let defaultPath: string;

  const pathNow = async (): Promise<string> =>
    (await orm.em.getDriver().execute<{ path: string }[]>(`select current_setting('search_path') as path`))[0]?.path ?? '';
  const titles = async (): Promise<string[]> =>
    (await orm.em.fork().execute<{ title: string }[]>('select title from book')).map(row => row.title);

  before(async () => {
    orm = await openTwins(database, { pool: { min: 1, max: 1 } });
    defaultPath = await pathNow();
  });

  for (const statement of [
    `select set_config('search_path', 'bob', false)`,
    `select pg_catalog.set_config('search_path', 'bob', false)`,
    `select "pg_catalog"."set_config"('search_path', 'bob', false)`,
    `set search_path to bob`,
    // the very path that it runs on
    `set search_path to acme`,
    `set session search_path to acme, bob`,
    `set local search_path to bob`,
    `reset search_path`,
  ]) {
    it(`law 3, N3: "${statement}" in a scope is of that statement alone`, async () => {
      await runInTenant('acme', em => em.execute(statement));

      expect(await pathNow()).to.equal(defaultPath);
      expect(await titles()).to.deep.equal(['decoy', 'decoy']);
    });
  }

  it('N3 a dump in a scope that fails is undone, and leaves the connection as it was', async () => {
    const dump = `update book set title = 'half of a dump' where id = 1;\nselect * from nowhere;`;
    const error = await failureOf(runInTenant('acme', em => em.getConnection().executeDump(dump)));

    expect(String(error)).to.include('nowhere');
    expect(await pathNow()).to.equal(defaultPath);
    expect(await titles()).to.deep.equal(['decoy', 'decoy']);
    expect(await runInTenant('acme', em => em.execute('select title from book where id = 1'))).to.deep.equal([{ title: 'acme book 1' }]);
  });

  it('law 2 a temporary table that one tenant has left on the connection is not read in place of another’s table', async () => {
    await runInTenant('acme', em => em.execute('create temporary table book as select * from book'));

    try {
      expect(await runInTenant('bob', em => em.execute('select title from book where id = 1'))).to.deep.equal([{ title: 'bob book 1' }]);
      expect(await runInPublic(em => em.execute('select title from book where id = 1'))).to.deep.equal([{ title: 'decoy' }]);
    } finally {
      await orm.em.fork().execute('drop table pg_temp.book');
    }
  });

  it('law 2 a function of the public schema that is called by its full name finds the tenant’s tables', async () => {
    await database.query(
      `create function public.first_title() returns text language plpgsql as 'begin return (select title from book where id = 1); end'`,
    );

    for (const sql of ['select public.first_title() as title', 'select * from "public"."first_title"() as "title"']) {
      expect(await runInTenant('acme', em => em.execute(sql))).to.deep.equal([{ title: 'acme book 1' }]);
      expect(await runInTenant('bob', em => em.execute(sql))).to.deep.equal([{ title: 'bob book 1' }]);
      expect(await orm.em.fork().execute(sql)).to.deep.equal([{ title: 'decoy' }]);
    }
  });

  it('N3 raw SQL whose connection is killed fails with its own error, and its place in the pool is free again', async function () {
    if (database.kind === 'pglite') {
      // it has no connection to kill
      return;
    }

    const lost = failureOf(runInTenant('acme', em => em.execute('select pg_sleep(60)')));
    await until('the statement is running', async () => {
      const killed = await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and query like '%select pg_sleep(60)%'`,
      );

      return killed.length > 0;
    });

    expect(String(await lost)).to.match(/terminat/);
    expect(await runInTenant('bob', em => em.execute('select title from book where id = 1'))).to.deep.equal([{ title: 'bob book 1' }]);
  });
});
