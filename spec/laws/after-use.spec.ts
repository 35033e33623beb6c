import { currentTenant, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases, SERVER_AND_POOLER } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';

onDatabases(
  'connections after use',
  database => {
    let orm: LibraryOrm;

    const state = (): Promise<unknown> =>
      orm.em
        .fork()
        .execute(
          `select current_setting('search_path') as path, current_user as role, session_user as session, pg_current_xact_id_if_assigned() as xact`,
        );

    before(async () => {
      orm = await openTwins(database, { pool: { min: 1, max: 1 } });
    });

    it('law 8, N3, N6: with a pool of one the next user finds path, role and transaction as they were, whatever came before', async () => {
      const fresh = await state();
      const unchanged = async (): Promise<void> => {
        expect(await state()).to.deep.equal(fresh);
        expect(currentTenant()).to.equal(undefined);
      };
      const failures: readonly (readonly [string, (em: TenantEntityManager) => Promise<unknown>])[] = [
        ['42P01', em => em.execute('select * from nothing')],
        ['42P01', em => em.transactional(tx => tx.execute('select * from nothing'))],
        ['22012', em => em.transactional(tx => tx.transactional(inner => inner.execute('select 1 / 0')))],
        ['22012', em => em.execute('commit; set role pg_monitor; commit; select 1/0')],
        ['22012', em => em.transactional(tx => tx.execute('set search_path to bob; commit; select 1/0'))],
        ['42P01', em => em.execute('begin; set session authorization pg_monitor; commit; select * from nothing')],
        ['23505', em => em.persistAndFlush(em.create(Tag, { id: 1, name: 'taken' }))],
        ['Error: thrown', () => Promise.reject(new Error('thrown'))],
      ];

      expect(await runInTenant('acme', em => em.execute('select title from book order by id'))).to.deep.equal(titlesOf('acme'));
      await unchanged();

      for (const [failure, use] of failures) {
        expect(sqlStateOf(await failureOf(runInTenant('acme', use)))).to.equal(failure);
        await unchanged();
      }

      const byKysely = await runInTenant('bob', em =>
        em.getKysely<{ book: { title: string; id: number } }>().selectFrom('book').select('title').orderBy('id').execute(),
      );
      expect(byKysely).to.deep.equal(titlesOf('bob'));
      await unchanged();
    });

    it('N1 a value is data and never SQL, and a name is quoted wherever it stands', async () => {
      const hostile = `x'; drop schema bob cascade; --"`;

      await runInTenant('acme', async em => {
        await em.find(Book, { title: hostile });
        await em.qb(Book, 'b').where({ title: hostile }).getResult();
        await em.nativeUpdate(Book, { title: hostile }, { title: hostile });
        await em.execute('select * from book where title = ?', [hostile]);
      });
      await refusal(() => runInTenant(hostile, () => undefined), 'TENANT_UNKNOWN');

      expect((await runInTenant('bob', em => em.findOneOrFail(Book, 1))).title).to.equal('bob book 1');
      const bare = database.statements.filter(sql => /(?<!["\w])(acme|bob)\./.test(sql.replaceAll(/'(?:[^']|'')*'/g, '')));
      expect(bare).to.deep.equal([]);
    });
  },
  SERVER_AND_POOLER,
  { needsSuperuser: true },
);

function titlesOf(name: string): unknown {
  return [{ title: `${name} book 1` }, { title: `${name} book 2` }];
}
