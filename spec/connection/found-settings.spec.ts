import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import pg from 'pg';
import { onDatabases, onDatabasesAndPooler } from '../support/databases/database.ts';
import { readSession } from '../support/databases/session-state.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** What a scope does between two that look at the connection. */
const USES: Readonly<Record<string, () => Promise<unknown>>> = {
  'raw SQL': () => runInTenant('acme', em => em.execute('select title from book')),
  'a transaction': () => runInTenant('acme', em => em.transactional(tx => tx.execute('select title from book'))),
  'a transaction without raw SQL': () => runInTenant('acme', em => em.transactional(tx => tx.execute('select 1'))),
  'a transaction with a savepoint': () =>
    runInTenant('acme', em => em.transactional(tx => tx.transactional(inner => inner.execute('select title from book')))),
  'a transaction that is rolled back': () => runInTenant('acme', em => em.transactional(tx => tx.execute('select 1/0'))),
  'what sets its session': () => runInTenant('acme', em => em.transactional(tx => tx.execute('set search_path to acme'))),
  'two tenants in a transaction': () =>
    runInPublic(em =>
      em.transactional(async () => {
        await runInTenant('acme', acme => acme.execute('select title from book'));
        await runInTenant('bob', bob => bob.execute('select title from book'));
      }),
    ),
};

onDatabasesAndPooler('what the caller has set for the session, on a pool of one', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database, { pool: { min: 1, max: 1 } });
    await database.query(`create role low_${process.pid} superuser`);
    await database.query(`create role lower_${process.pid} superuser`);
  });

  after(async () => {
    await orm.close();
    await database.query(`drop role low_${process.pid}`);
    await database.query(`drop role lower_${process.pid}`);
  });

  for (const [name, use] of Object.entries(USES)) {
    it(`N3 is as it was after ${name}, also where it was changed since the last time`, async () => {
      const outside = (sql: string): Promise<unknown> => orm.em.fork().execute(sql);

      try {
        for (const [path, role] of [
          ['public, pg_catalog', `low_${process.pid}`],
          ['public', `lower_${process.pid}`],
          ['pg_catalog, public', 'none'],
          ['public', `low_${process.pid}`],
        ] as const) {
          await outside('set role none');
          await outside(`set search_path to ${path}`);
          await outside(`set role ${role}`);
          const found = await readSession(orm);
          expect(found).to.include({ path, role });
          await use().catch(() => undefined);
          expect(await readSession(orm)).to.deep.equal(found);
        }
      } finally {
        await outside('reset role');
        await outside('reset search_path');
      }
    });
  }

  it('N3 what is set for a transaction alone, outside of scopes, is not made the session’s by raw SQL in one', async () => {
    const found = await readSession(orm);

    for (const local of ['set local search_path to pg_catalog', `set local role low_${process.pid}`]) {
      await orm.em.fork().transactional(async em => {
        await em.execute(local);
        await runInTenant('acme', inner => inner.execute('select title from book'));
        await runInTenant('acme', inner => inner.execute('set search_path to acme'));
      });
      expect(await readSession(orm), local).to.deep.equal(found);
    }

    await runInTenant('acme', async em => {
      const fork = em.fork({ session: { variables: { search_path: 'bob' }, role: `low_${process.pid}` } });
      await fork.transactional(async tx => {
        expect(await tx.execute('select current_user as role')).to.deep.equal([{ role: `low_${process.pid}` }]);
        await tx.execute('set search_path to acme');
      });
    });
    expect(await readSession(orm)).to.deep.equal(found);
  });
});

onDatabases(
  'somebody else behind the same pooler',
  database => {
    let orm: LibraryOrm;
    let careless: pg.Client;

    before(async () => {
      orm = await openTwins(database, { pool: { min: 1, max: 1 } });
      careless = new pg.Client({ connectionString: database.url ?? '' });
      await careless.connect();
    });

    after(async () => {
      await careless.query('discard all');
      await careless.end();
      await orm.close();
    });

    it('N3 a path that they set for a moment is not written back when they have reset it', async () => {
      const fresh = await readSession(orm);
      await careless.query('set search_path to bob');
      // what the first transaction of a connection finds
      await runInTenant('acme', em => em.transactional(tx => tx.execute('select title from book')));
      await careless.query('reset search_path');

      for (const use of Object.values(USES)) {
        await use().catch(() => undefined);
        expect(await readSession(orm)).to.deep.equal(fresh);
      }
    });
  },
  ['pgbouncer'],
);
