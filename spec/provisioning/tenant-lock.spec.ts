import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import pg from 'pg';
import type { Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/library-orm.ts';
import { until } from '../support/tenant-set.ts';

onDatabases(
  'the lock of a tenant that is renamed or dropped',
  database => {
    let orm: LibraryOrm;
    let other: pg.Client;

    before(async () => {
      orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(['acme', 'bob', 'carl'].map(name => newLibrary(name)));
      other = new pg.Client({ connectionString: database.url ?? '' });
      await other.connect();
    });

    after(async () => {
      await other.end();
      await orm.close();
    });

    for (const [title, from, change, left] of [
      ['M5, T7 a rename', 'acme', () => tenants<Library>(orm).rename('acme', 'apex'), ['apex', 'bob', 'carl']],
      ['M5, T8 a drop', 'bob', () => tenants<Library>(orm).drop('bob'), ['apex', 'carl']],
    ] as const) {
      it(`${title} waits for whoever has the tenant, and leaves it alone until then`, async () => {
        const before = await schemas();
        await other.query(`select pg_advisory_lock(hashtextextended($1, 0))`, [`landlord:${from}`]);
        let isDone = false;
        const changing = change().then(() => (isDone = true));
        await until(async () => isDone || (await waiting()) > 0, 'it waits for the lock or is done');

        expect([isDone, await schemas()]).to.deep.equal([false, before]);
        await other.query('select pg_advisory_unlock_all()');
        await changing;
        expect(await schemas()).to.deep.equal(left);
      });
    }

    async function schemas(): Promise<string[]> {
      const rows = await database.query<{ name: string }>(
        `select nspname as name from pg_namespace where nspname in ('acme', 'apex', 'bob', 'carl') order by 1`,
      );

      return rows.map(({ name }) => name);
    }

    async function waiting(): Promise<number> {
      const [row] = await database.query<{ count: number }>(
        `select count(*)::int as count from pg_locks where not granted and locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      );

      return row?.count ?? 0;
    }
  },
  ['postgresql'],
);
