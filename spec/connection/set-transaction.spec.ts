import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { openTwins } from '../support/orm/twins.ts';

const LEVEL = `select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as read_only`;

/** What PostgreSQL takes only before the first query of a transaction. */
const STATEMENTS: Readonly<Record<string, { readonly level?: string; readonly read_only?: string }>> = {
  'set transaction isolation level serializable': { level: 'serializable' },
  '/* /* first */ of all */ SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;': { level: 'repeatable read', read_only: 'on' },
  'set local transaction_isolation = serializable': { level: 'serializable' },
  'set transaction_isolation to "repeatable read"': { level: 'repeatable read' },
  'set "transaction_isolation" = serializable': { level: 'serializable' },
  'set transaction read only': { read_only: 'on' },
  'set local "transaction_read_only" to on': { read_only: 'on' },
};

for (const isOfRoles of [false, true]) {
  onDatabasesAndPooler(`what comes first in a transaction${isOfRoles ? ', with roles' : ''}`, database => {
    const names = rolesOf(database, 'set_transaction');

    let orm: LibraryOrm;

    before(async () => {
      if (isOfRoles) {
        await names.create();
      }

      orm = await openTwins(
        database,
        { pool: { min: 1, max: 1 } },
        isOfRoles ? { roles: { prefix: names.prefix, shared: names.shared } } : {},
      );
    });

    after(async () => {
      await orm.close();

      if (isOfRoles) {
        await database.query('drop schema acme, bob, public cascade');
        await database.query('create schema public');
        await names.drop();
      }
    });

    for (const [sql, expected] of Object.entries(STATEMENTS)) {
      it(`law 3: ${sql}`, async () => {
        const work = async (em: TenantEntityManager, title: string): Promise<void> =>
          em.transactional(async tx => {
            await tx.execute(sql);
            expect((await tx.execute(LEVEL))[0]).to.include(expected);
            expect((await tx.findOneOrFail(Book, 1)).title).to.equal(title);
            expect(await tx.execute('select title from book where id = 1')).to.deep.equal([{ title }]);
          });

        await runInTenant('acme', em => work(em, 'acme book 1'));
        await runInTenant('bob', em => em.transactional(tx => tx.execute(LEVEL))).then(([level]) => {
          expect(level).to.deep.equal({ level: 'read committed', read_only: 'off' });
        });
        await runInPublic(em =>
          em.transactional(async tx => {
            await tx.execute(sql);
            expect(await tx.execute('select title from book where id = 1')).to.deep.equal([{ title: 'decoy' }]);
          }),
        );
      });
    }
  });
}
