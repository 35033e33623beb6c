import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { CompiledQuery } from 'kysely';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { readSession, type SessionState } from '../support/databases/session-state.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** What several statements in one message leave where one of them fails after a commit, and where none does. */
const MESSAGES: readonly string[] = [
  'commit; set role pg_monitor; commit; select 1/0',
  'commit; set search_path to bob; commit; select 1/0',
  'commit; set session authorization pg_monitor; commit; select 1/0',
  'rollback; set role pg_monitor; select * from nowhere; commit',
  'set role pg_monitor; commit',
  'set role pg_monitor; commit; begin',
  'set role pg_monitor; commit; begin; select 1/0',
  'begin; set search_path to bob; end; begin; set role pg_monitor; commit and chain; select 1/0',
  `select set_config('role', 'pg_monitor', false); commit /* and */ ; -- then\n select 1/0`,
  `commit; create function pg_temp.f() returns void language sql begin atomic select set_config('role', 'pg_monitor', false); end; select pg_temp.f(); commit; select 1/0`,
  `/* a /* nested */ commit; */ commit; do $do$ begin perform set_config('search_path', 'bob', false); end $do$; commit; select E'\\'; commit'; select 1/0`,
];

/** What each sets for the session, as it is and after it has failed. */
const STATEMENTS: readonly string[] = [
  `update "pg_catalog"."pg_settings" set "setting" = 'bob' where "name" = 'search_path'`,
  `update "pg_catalog"."pg_settings" as "s" set "setting" = 'pg_monitor' where "s"."name" = 'role'`,
  `update pg_catalog.pg_settings set setting = 'bob' where name = 'search_path'`,
  `set "search_path" = 'bob'`,
  `set "role" = 'pg_monitor'`,
  `set role pg_monitor`,
  `set session authorization pg_monitor`,
  `set "session_authorization" = 'pg_monitor'`,
  `do $$ begin set role pg_monitor; set search_path to bob; end $$`,
  `select set_config('search_path', current_setting('search_path'), false)`,
  `select set_config('role', 'pg_monitor', false), 1/0`,
  'reset all',
  'set schema $$bob$$',
];

onDatabasesAndPooler('raw SQL that sets its session, on a pool of one', database => {
  let orm: LibraryOrm;
  let fresh: SessionState;

  before(async () => {
    orm = await openTwins(database, { pool: { min: 1, max: 1 } });
    fresh = await readSession(orm);
  });

  afterEach(async () => {
    expect(await readSession(orm), 'N6: the connection').to.deep.equal(fresh);

    for (const name of ['acme', 'bob']) {
      expect(await runInTenant(name, em => em.execute('select title from book where id = 1'))).to.deep.equal([{ title: `${name} book 1` }]);
    }
  });

  after(() => orm.close());

  for (const sql of [...STATEMENTS, ...(database.kind === 'pglite' ? [] : MESSAGES)]) {
    it(`N6 "${sql}" in a scope leaves its connection as it found it`, async () => {
      for (const use of [
        () => runInTenant('acme', em => em.execute(sql)),
        () => runInPublic(em => em.execute(sql)),
        () => runInTenant('acme', em => em.transactional(tx => tx.execute(sql))),
        () => runInTenant('acme', em => em.transactional(tx => tx.transactional(inner => inner.execute(sql)))),
        () => runInPublic(em => em.transactional(() => runInTenant('acme', acme => acme.execute(sql)))),
        () => runInTenant('acme', em => em.getConnection().executeDump(sql)),
      ]) {
        await use().catch(() => undefined);
        expect(await readSession(orm)).to.deep.equal(fresh);
      }
    });
  }

  it('N6 a stream that fails in a transaction fails with PostgreSQL’s own error, and what is around it goes on in its tenant', async () => {
    if (database.kind === 'pglite') {
      // it has no streams
      return;
    }

    const failing = CompiledQuery.raw('select title, 1 / (id - 2) from book order by id');
    const stream = async (em: TenantEntityManager): Promise<string[]> => {
      const titles: string[] = [];

      for await (const { rows } of em.getKysely<any>().getExecutor().stream<{ title: string }>(failing, 1)) {
        titles.push(...rows.map(({ title }) => title));
      }

      return titles;
    };

    await runInTenant('acme', em =>
      em.transactional(async tx => {
        expect(String(await failureOf(tx.transactional(inner => stream(inner))))).to.include('division by zero');
        expect(await tx.execute('select title from book where id = 1')).to.deep.equal([{ title: 'acme book 1' }]);
      }),
    );
    expect(String(await failureOf(runInTenant('acme', em => em.transactional(tx => stream(tx)))))).to.include('division by zero');
  });

  it('law 2: what follows a commit in one message is of the tenant too', async function () {
    if (database.kind === 'pglite') {
      // it takes no message of several statements
      return;
    }

    await runInTenant('acme', async em => {
      await em.execute(
        `begin; insert into tag (id, name) values (70, 'one'); commit; insert into tag (id, name) values (71, 'two'); commit; insert into tag (id, name) values (72, 'three')`,
      );
      await em
        .execute(`insert into tag (id, name) values (73, 'four'); commit; insert into tag (id, name) values (74, 'five'); select 1/0`)
        .catch(() => undefined);
    });

    expect(await database.query('select id from acme.tag where id >= 70 order by id')).to.deep.equal([70, 71, 72, 73].map(id => ({ id })));
    expect(await database.query('select id from public.tag where id >= 70')).to.deep.equal([]);
    await database.query('delete from acme.tag where id >= 70');
  });
});
