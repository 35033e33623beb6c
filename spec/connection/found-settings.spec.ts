import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import pg from 'pg';
import { Author, Genre, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases, onDatabasesAndPooler } from '../support/databases/database.ts';
import { readSession } from '../support/databases/session-state.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { initLibrary, newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { loadTenantSet } from '../support/orm/tenant-set.ts';
import { openTwins } from '../support/orm/twins.ts';

const ROLLED_BACK = 'a transaction that is rolled back';

/** What a scope does between two that look at the connection. */
const USES: Readonly<Record<string, () => Promise<unknown>>> = {
  'raw SQL': () => runInTenant('acme', em => em.execute('select title from book')),
  'a transaction': () => runInTenant('acme', em => em.transactional(tx => tx.execute('select title from book'))),
  'a transaction without raw SQL': () => runInTenant('acme', em => em.transactional(tx => tx.execute('select 1'))),
  'a transaction with a savepoint': () =>
    runInTenant('acme', em => em.transactional(tx => tx.transactional(inner => inner.execute('select title from book')))),
  [ROLLED_BACK]: () => runInTenant('acme', em => em.transactional(tx => tx.execute('select 1/0'))),
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
          await (name === ROLLED_BACK ? failureOf(use()) : use());
          expect(await readSession(orm)).to.deep.equal(found);
        }
      } finally {
        await outside('reset role');
        await outside('reset search_path');
      }
    });
  }

  it('N3 is as it was after a creation whose migration enters its tenant’s scope for raw SQL', async () => {
    await orm.close();
    const later = [{ name: 'Migration20990101000000', class: CountBooks }];
    orm = await initLibrary(
      database,
      { migrations: { migrationsList: [...(await loadTenantSet()), ...later] } },
      { pool: { min: 1, max: 1 } },
    );
    const found = await readSession(orm);
    await orm.em.fork().transactional(em => em.persistAndFlush(newLibrary('carol')));

    expect(await database.query('select name from carol.tag')).to.deep.equal([{ name: '0 books' }]);
    expect(await readSession(orm)).to.deep.equal(found);
  });

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

onDatabasesAndPooler('what a trigger sets for its transaction, on a pool of one', database => {
  let orm: LibraryOrm;
  const role = `trigger_${process.pid}`;
  const outside = (sql: string): Promise<unknown> => orm.em.fork().execute(sql);

  before(async () => {
    const twins = await openTwins(database);
    await database.query(`create role ${role} superuser`);
    await database.query(
      `create function public.roam() returns trigger language plpgsql as $$ begin perform pg_catalog.set_config(tg_argv[0], tg_argv[1], true); return null; end $$`,
    );
    await database.query(`create trigger roam after update on acme.tag for each row execute function public.roam('search_path', 'bob')`);
    await database.query(`create trigger roam after update on acme.author for each row execute function public.roam('role', '${role}')`);
    await twins.close();
    orm = await initLibrary(database, {}, { pool: { min: 1, max: 1 } });
  });

  after(async () => {
    await orm.close();
    await database.query('drop owned by ' + role);
    await database.query(`drop role ${role}`);
  });

  const useIn = async (entity: typeof Tag | typeof Author | typeof Genre): Promise<void> => {
    await runInTenant('acme', em =>
      em.transactional(async tx => {
        await tx.nativeUpdate(entity as typeof Tag, { id: 1 }, { name: 'new' });
        expect(await tx.execute('select title from book where id = 1')).to.deep.equal([{ title: 'acme book 1' }]);
      }),
    );
  };

  it('N3 a connection of which nothing was set is kept, whatever was sent in the transaction before the raw SQL', async () => {
    const pid = async (): Promise<unknown> => orm.em.fork().execute('select pg_backend_pid() as pid');
    const before = await pid();

    for (let n = 0; n < 2; n += 1) {
      await useIn(Genre);
      expect(await pid()).to.deep.equal(before);
    }
  });

  for (const [name, entity] of Object.entries({ path: Tag, role: Author })) {
    it(`N3 N6 is not made the session’s by raw SQL in the transaction: the ${name}`, async () => {
      const fresh = await readSession(orm);

      for (let n = 0; n < 3; n += 1) {
        await useIn(entity);
        expect(await readSession(orm)).to.deep.equal(fresh);
      }
    });

    it(`N3 leaves what the caller has set for the session: the ${name}`, async () => {
      try {
        await outside('set search_path to pg_catalog, public');
        await outside(`set role ${role}`);
        const found = await readSession(orm);
        expect(found).to.include({ path: 'pg_catalog, public', role });

        for (let n = 0; n < 2; n += 1) {
          await useIn(entity);
          expect(await readSession(orm)).to.deep.equal(found);
        }
      } finally {
        await outside('reset role');
        await outside('reset search_path');
      }
    });
  }
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

      for (const [name, use] of Object.entries(USES)) {
        await (name === ROLLED_BACK ? failureOf(use()) : use());
        expect(await readSession(orm)).to.deep.equal(fresh);
      }
    });
  },
  ['pgbouncer'],
);

/** Reads first, so that what was queued before it is sent. */
class CountBooks extends Migration {
  override async up(): Promise<void> {
    await this.execute('select 1');
    await runInTenant('carol', em => em.execute(`insert into tag (name) select count(*) || ' books' from book`));
  }
}
