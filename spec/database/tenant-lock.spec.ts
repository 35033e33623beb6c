import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type pg from 'pg';
import { Library } from '../../fixtures/entities/index.ts';
import { storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { until } from '../support/assertions/until.ts';
import { countLockWaits, openSession } from '../support/databases/sessions.ts';

onDatabases(
  'the lock of a tenant that is renamed or dropped',
  database => {
    let orm: LibraryOrm;
    let other: pg.Client;

    before(async () => {
      orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(['acme', 'bob', 'carl', 'dora'].map(name => newLibrary(name)));
      other = await openSession(database);
    });

    for (const [title, from, change, left] of [
      ['M5, T17 a rename', 'acme', () => tenants<Library>(orm).rename('acme', 'apex'), ['apex', 'bob', 'carl', 'dora']],
      ['M5, T15 a drop', 'bob', () => tenants<Library>(orm).drop('bob'), ['apex', 'carl', 'dora']],
    ] as const) {
      it(`${title} waits for whoever has the tenant, and leaves it alone until then`, async () => {
        const before = await schemas();
        await other.query(`select pg_advisory_lock(hashtextextended($1, 0))`, [`landlord:${from}`]);
        let isDone = false;
        const changing = change().then(() => (isDone = true));
        await until(
          'it waits for the lock or is done',
          async () => isDone || (await countLockWaits(database, `locktype = 'advisory'`)) > 0,
        );

        expect([isDone, await schemas()]).to.deep.equal([false, before]);
        await other.query('select pg_advisory_unlock_all()');
        await changing;
        expect(await schemas()).to.deep.equal(left);
      });
    }

    it('M5, L3 a soft deletion waits for whoever has the tenant, and leaves it alone until then', async () => {
      await orm.em.fork().persistAndFlush(newLibrary('soft'));
      await other.query(`select pg_advisory_lock(hashtextextended('landlord:soft', 0))`);
      let isDone = false;
      const deleting = tenants<Library>(orm)
        .drop('soft', { soft: true })
        .then(() => (isDone = true));
      await until('it waits for the lock or is done', async () => isDone || (await countLockWaits(database, `locktype = 'advisory'`)) > 0);

      expect([isDone, await database.query(`select to_regnamespace('soft')::text as name`)]).to.deep.equal([false, [{ name: 'soft' }]]);
      await other.query('select pg_advisory_unlock_all()');
      await deleting;
      expect((await tenants(orm).purge()).purged).to.have.length(1);
    });

    it('M5, T15 a drop waits for a rename that is under way, and drops the schema of the name that it gave', async () => {
      const dora = await orm.em.fork().findOneOrFail(Library, { schemaName: 'dora' });
      await other.query('begin');
      await other.query(`update public.library set schema_name = 'dorothy' where schema_name = 'dora'`);
      await other.query('alter schema dora rename to dorothy');
      const dropping = tenants<Library>(orm).drop(dora);
      await until('it waits for the row', async () => (await countLockWaits(database, `locktype = 'transactionid'`)) > 0);
      await other.query('commit');
      await dropping;

      expect(await schemas()).to.deep.equal(['apex', 'carl']);
      expect(await storedTenants(database)).to.deep.equal(['apex', 'carl']);
    });

    it('M5, T17 a rename waits for one that is under way, and renames the schema of the name that it gave', async () => {
      const em = orm.em.fork();
      const carl = await em.findOneOrFail(Library, { schemaName: 'carl' });
      await other.query('begin');
      await other.query(`update public.library set schema_name = 'carlos' where schema_name = 'carl'`);
      await other.query('alter schema carl rename to carlos');
      carl.schemaName = 'charles';
      const renaming = em.flush();
      await until('it waits for the row', async () => (await countLockWaits(database, `locktype = 'transactionid'`)) > 0);
      await other.query('commit');
      await renaming;

      expect(await schemas()).to.deep.equal(['apex', 'charles']);
      expect(await storedTenants(database)).to.deep.equal(['apex', 'charles']);
    });

    async function schemas(): Promise<string[]> {
      const rows = await database.query<{ name: string }>(
        `select nspname as name from pg_namespace where nspname in ('acme', 'apex', 'bob', 'carl', 'carlos', 'charles', 'dora', 'dorothy') order by 1`,
      );

      return rows.map(({ name }) => name);
    }
  },
  ['postgresql'],
);
