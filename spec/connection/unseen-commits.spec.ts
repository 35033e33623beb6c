import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { asObserver } from '../support/assertions/statement-watch.ts';
import { onDatabases } from '../support/databases/database.ts';
import { readSession } from '../support/databases/session-state.ts';
import { initLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** With `standard_conforming_strings` off, the string ends at the third quote, and the rest is SQL. */
const UNSEEN = String.raw`select '\'' ; commit; set role pg_monitor; commit; select 1/0 --'`;

onDatabases(
  'a commit that PostgreSQL sees where nobody else does',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      await (await openTwins(database)).close();
      const [row] = await database.query<{ name: string }>('select current_database() as name');
      await database.query(`alter database "${row?.name}" set standard_conforming_strings = off`);
      orm = await initLibrary(database, {}, { pool: { min: 1, max: 1 } });
    });

    after(() => orm.close());

    const pid = async (): Promise<unknown> => (await orm.em.fork().execute<{ pid: number }[]>('select pg_backend_pid() as pid'))[0]?.pid;

    it('N6 closes a connection of which it cannot tell what is left on it', async () => {
      for (const use of [
        () => runInTenant('acme', em => em.execute(UNSEEN)),
        () => runInTenant('acme', em => em.transactional(tx => tx.execute(UNSEEN))),
      ]) {
        const fresh = await readSession(orm);
        const before = await pid();
        await asObserver(use).catch(() => undefined);

        expect(await readSession(orm)).to.deep.equal(fresh);
        expect(await pid()).not.to.equal(before);
      }
    });

    it('N6 keeps one on which a failed statement has left nothing', async () => {
      const before = await pid();

      for (const sql of ['select 1/0; select 2', `select ';' from nowhere`, 'begin; select 1/0; commit']) {
        await runInTenant('acme', em => em.execute(sql)).catch(() => undefined);
      }

      expect(await pid()).to.equal(before);
    });

    it('law 2, N6: one that succeeds is noticed too, and what follows in the transaction is of its tenant', async () => {
      await runInTenant('acme', em =>
        em.transactional(async tx => {
          await asObserver(() => tx.execute(String.raw`select '\'' ; commit; set search_path to bob --'`));
          expect(await tx.execute('select title from book where id = 1')).to.deep.equal([{ title: 'acme book 1' }]);
        }),
      );
      expect((await readSession(orm)).path).to.equal('"$user", public');
    });
  },
  ['postgresql'],
);
