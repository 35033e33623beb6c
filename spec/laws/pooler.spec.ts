import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import pg from 'pg';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases(
  'what a transaction pooler gives to the next client',
  database => {
    let orm: LibraryOrm;
    let careless: pg.Client;
    let next: pg.Client;

    before(async () => {
      orm = await openTwins(database);
      [careless, next] = [new pg.Client({ connectionString: database.url ?? '' }), new pg.Client({ connectionString: database.url ?? '' })];
      await careless.connect();
      await next.connect();
      await database.query(`create role careless_${process.pid}`);
    });

    afterEach(() => careless.query('discard all'));

    after(async () => {
      await careless.end();
      await next.end();
      await database.query(`drop role careless_${process.pid}`);
    });

    it('N3 both clients are given the one server connection', async () => {
      const pids = [await careless.query(PID), await next.query(PID)].map(({ rows }) => rows[0].pid);

      expect(pids[0]).to.equal(pids[1]);
    });

    it('N3 a `search_path` that is set for the session DOES leak, so every spec behind the pooler would see one of ours', async () => {
      await careless.query('set search_path to bob');

      expect((await next.query('select title from book order by id')).rows).to.deep.equal([
        { title: 'bob book 1' },
        { title: 'bob book 2' },
      ]);
      // outside a tenant's scope this reads `public.book`, whose rows are decoys
      expect(await orm.em.fork().execute('select title from book where id = 1')).to.deep.equal([{ title: 'bob book 1' }]);
    });

    it('N3 a role that is set for the session DOES leak, and so does a prepared statement', async () => {
      await careless.query(`set role careless_${process.pid}`);
      await careless.query('prepare of_the_other as select 1');

      expect((await next.query('select current_user as role')).rows).to.deep.equal([{ role: `careless_${process.pid}` }]);
      expect((await next.query('select name from pg_prepared_statements')).rows).to.deep.equal([{ name: 'of_the_other' }]);
    });

    it('law 3: entities are read from their own tenant even where somebody has left a path on the connection', async () => {
      await careless.query('set search_path to bob');

      for (const name of ['acme', 'bob']) {
        expect(await runInTenant(name, em => em.execute('select title from book where id = 1'))).to.deep.equal([
          { title: `${name} book 1` },
        ]);
      }
    });
  },
  ['pgbouncer'],
);

const PID = 'select pg_backend_pid() as pid';
