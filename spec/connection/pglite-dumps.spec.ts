import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { readSession } from '../support/databases/session-state.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

const TITLE = 'select title from book where id = 1';

onDatabases(
  'dumps on the one connection of PGlite',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openTwins(database);
    });

    after(() => orm.close());

    const dump = (sql: string): Promise<void> => runInTenant('acme', em => em.getConnection().executeDump(sql));

    it('N6 a dump that fails takes nobody else along, whoever waits for the connection', async () => {
      const fresh = await readSession(orm);
      const work = Array.from({ length: 60 }, async (_, index): Promise<unknown> => {
        switch (index % 4) {
          case 0:
            return failureOf(dump('select 1;\nselect * from nowhere;'));
          case 1:
            return runInTenant('bob', em => em.execute(TITLE));
          case 2:
            // past the ORM, as another one on the same PGlite would
            return database.query('select title from bob.book where id = 1');
          default:
            return runInTenant('bob', em => em.transactional(tx => tx.execute(TITLE)));
        }
      });
      const outcomes = await Promise.all(work);

      outcomes.forEach((outcome, index) => {
        if (index % 4 === 0) {
          expect(sqlStateOf(outcome)).to.equal('42P01');
        } else {
          expect(outcome).to.deep.equal([{ title: 'bob book 1' }]);
        }
      });
      expect(await readSession(orm)).to.deep.equal(fresh);
    });

    it('law 2, N6: a dump that ends its own transaction goes on in its tenant, and leaves nothing on the connection', async () => {
      const fresh = await readSession(orm);
      await dump(
        `begin; insert into tag (id, name) values (80, 'one'); commit;\nset search_path to bob;\ncommit;\ninsert into tag (id, name) values (81, 'two');`,
      );
      expect(await database.query('select id from acme.tag where id >= 80 order by id')).to.deep.equal([{ id: 80 }, { id: 81 }]);
      expect(await readSession(orm)).to.deep.equal(fresh);

      const error = await failureOf(
        dump(`insert into tag (id, name) values (82, 'three');\ncommit; set search_path to bob; set role pg_monitor; commit; select 1/0`),
      );
      expect(sqlStateOf(error)).to.equal('22012');
      expect(await database.query('select id from acme.tag where id = 82')).to.deep.equal([{ id: 82 }]);
      expect(await readSession(orm)).to.deep.equal(fresh);
      await database.query('delete from acme.tag where id >= 80');
    });

    it('law 2 a dump of many statements with functions, strings and comments lands in its tenant', async () => {
      await dump(`
        -- a table; and what fills it
        create table shelf (id int primary key, label text default 'a; b');
        create function fill() returns void language plpgsql as $body$ begin insert into shelf values (1, 'x; commit;'); end; $body$;
        select fill(); /* twice? ; */
        insert into shelf (id) values (2);
      `);
      expect(await database.query('select id, label from acme.shelf order by id')).to.deep.equal([
        { id: 1, label: 'x; commit;' },
        { id: 2, label: 'a; b' },
      ]);
    });

    it('N2 a dump outside of a tenant lands in the public schema', async () => {
      await orm.em.getConnection().executeDump('create table of_none (id int); insert into of_none values (1)');
      await runInPublic(em => em.getConnection().executeDump('create table of_public (id int)'));
      expect(
        await database.query(
          `select schemaname::text as schema, tablename::text as table from pg_tables where tablename like 'of_%' order by tablename`,
        ),
      ).to.deep.equal([
        { schema: 'public', table: 'of_none' },
        { schema: 'public', table: 'of_public' },
      ]);
    });
  },
  ['pglite'],
);
