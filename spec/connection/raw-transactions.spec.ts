import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Tag } from '../../fixtures/entities/index.ts';
import { TenantRules } from '../../dist/scope/tenant-rules.js';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { readSession, type SessionState } from '../support/databases/session-state.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { openTwins } from '../support/orm/twins.ts';

const TITLE = 'select title from book where id = 1';

const ISOLATION = `select current_setting('transaction_isolation') as level`;

onDatabasesAndPooler('raw SQL about its own transaction, on a pool of one', database => {
  const names = rolesOf(database, 'raw_transactions');

  for (const [how, roles] of [
    ['without roles', undefined],
    ['with roles', { prefix: names.prefix, shared: names.shared }],
  ] as const) {
    describe(how, () => {
      let orm: LibraryOrm;
      let fresh: SessionState;

      const inTransaction = (work: (tx: TenantEntityManager) => Promise<void>): Promise<void> =>
        runInTenant('acme', em => em.transactional(work));
      const titleNow = async (em: TenantEntityManager): Promise<unknown> => (await em.execute<{ title: string }[]>(TITLE))[0]?.title;
      const isAcmes = async (em: TenantEntityManager): Promise<void> => {
        expect(await titleNow(em)).to.equal('acme book 1');

        if (roles !== undefined) {
          expect(await em.execute('select current_user as role')).to.deep.equal([{ role: `${names.prefix}acme` }]);
          expect(sqlStateOf(await failureOf(em.execute('select * from bob.book')))).to.equal('42501');
        }
      };

      before(async () => {
        if (roles !== undefined) {
          await names.create();
        }

        orm = await openTwins(database, { pool: { min: 1, max: 1 } }, roles === undefined ? {} : { roles });
        fresh = await readSession(orm);
      });

      afterEach(async () => {
        expect(await readSession(orm), 'N3: the connection').to.deep.equal(fresh);
      });

      after(async () => {
        await orm.close();
        await database.query(`drop schema acme, bob cascade`);
        await database.query(`drop schema public cascade`);
        await database.query(`create schema public`);

        if (roles !== undefined) {
          await names.drop();
        }
      });

      it('G4 a savepoint takes back a failure, and the transaction goes on in its tenant', async () => {
        await inTransaction(async tx => {
          await tx.execute('savepoint s');
          expect(sqlStateOf(await failureOf(tx.execute('select * from nowhere')))).to.equal('42P01');
          await tx.execute('rollback to savepoint s');
          await isAcmes(tx);
          await tx.execute('rollback to savepoint s');
          expect(sqlStateOf(await failureOf(tx.insert(Tag, { id: 1, name: 'taken' })))).to.equal('23505');
          await tx.execute('/* whose? */ ROLLBACK TO s;');
          await tx.insert(Tag, { id: 60, name: 'kept' });
          await tx.execute('release savepoint s');
        });

        expect(await database.query('select name from acme.tag where id = 60')).to.deep.equal([{ name: 'kept' }]);
        await database.query('delete from acme.tag where id = 60');
      });

      it('G4 the isolation level is set by the first statement, before anything is read', async () => {
        for (const statement of [
          'set transaction isolation level serializable',
          'set local transaction_isolation = serializable',
          `-- as strict as can be\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;`,
        ]) {
          await inTransaction(async tx => {
            await tx.execute(statement);
            expect(await tx.execute(ISOLATION)).to.deep.equal([{ level: 'serializable' }]);
            // the last of it is refused, so what is left is a rollback
            await isAcmes(tx);
          });
        }
      });

      it('G4 what is set for the transaction alone may come before the isolation level', async () => {
        await inTransaction(async tx => {
          await tx.execute(`set local statement_timeout = '20s'`);
          await tx.execute('show server_version');
          await tx.execute('set constraints all deferred');
          await tx.execute('set transaction isolation level repeatable read');
          expect(await tx.execute(ISOLATION)).to.deep.equal([{ level: 'repeatable read' }]);
          expect(await titleNow(tx)).to.equal('acme book 1');
        });
      });

      it('G4 a transaction that has failed is rolled back by raw SQL too, and what follows is of its tenant', async () => {
        await inTransaction(async tx => {
          await failureOf(tx.execute('select 1 / 0'));
          await tx.execute('rollback');
          await isAcmes(tx);
          await tx.execute('begin');
          await isAcmes(tx);
        });
      });

      it('law 2, N3: after a commit by raw SQL each statement is of its tenant, and what one sets is of that one alone', async () => {
        await inTransaction(async tx => {
          await tx.insert(Tag, { id: 61, name: 'committed' });
          await tx.execute('commit');
          await tx.execute('rollback');
          await tx.execute('set role pg_monitor').catch(() => undefined);
          await tx.execute('set search_path to bob');
          await isAcmes(tx);
          expect((await tx.find(Tag, { id: 61 })).map(({ name }) => name)).to.deep.equal(['committed']);
          await failureOf(tx.execute('select 1 / 0'));
          await isAcmes(tx);
        });
        expect(await database.query('select name from acme.tag where id = 61')).to.deep.equal([{ name: 'committed' }]);
        await database.query('delete from acme.tag where id = 61');
      });

      it('law 2, N3: a transaction that raw SQL chains or begins anew is of its tenant', async () => {
        for (const statements of [['commit and chain'], ['rollback and chain'], ['commit', 'begin'], ['abort', 'start transaction']]) {
          await inTransaction(async tx => {
            for (const statement of statements) {
              await tx.execute(statement);
            }

            await tx.execute('set transaction isolation level serializable');
            expect(await tx.execute(ISOLATION)).to.deep.equal([{ level: 'serializable' }]);
            await tx.execute('set search_path to bob');
            expect(await titleNow(tx)).to.equal('acme book 1');

            if (roles !== undefined) {
              expect(await tx.execute('select current_user as role')).to.deep.equal([{ role: `${names.prefix}acme` }]);
            }
          });
        }
      });

      it('N3 a `begin` in a scope leaves no transaction on the connection, nor does any other statement by itself', async () => {
        for (const statement of ['begin', 'start transaction read only', 'commit', 'rollback', 'end', 'set transaction read only']) {
          await runInTenant('acme', em => em.execute(statement));
          expect(await readSession(orm), statement).to.deep.equal(fresh);
        }

        for (const [statement, state] of [
          ['savepoint s', '25P01'],
          ['rollback to s', '25P01'],
          ['commit and chain', '25P01'],
          [`rollback prepared 'x'`, '42704'],
        ] as const) {
          expect(sqlStateOf(await failureOf(runInTenant('acme', em => em.execute(statement)))), statement).to.equal(state);
        }
      });

      it('S11 a savepoint of raw SQL and a nested scope: each goes on in its own tenant after a rollback', async () => {
        await runInPublic(em =>
          em.transactional(async () => {
            await runInTenant('acme', async acme => {
              await acme.execute('savepoint s');
              await runInTenant('bob', async bob => {
                expect(await titleNow(bob)).to.equal('bob book 1');
                await failureOf(bob.execute('select * from nowhere'));
                await bob.execute('rollback to s');
                expect(await titleNow(bob)).to.equal('bob book 1');
              });
              await acme.execute('rollback to s');
              expect(await titleNow(acme)).to.equal('acme book 1');
            });
          }),
        );
      });

      it('law 3 entities alone take no statement of the library’s in a transaction, or one that takes the role', async () => {
        database.statements.length = 0;
        await inTransaction(async tx => {
          await tx.find(Tag, { id: 1 });
          await tx.insert(Tag, { id: 63, name: 'sixty-three' });
          await tx.nativeDelete(Tag, { id: 63 });
        });

        // what finds the tenant goes before
        const sent = database.statements.slice(database.statements.findIndex(statement => / begin\b/.test(statement)));
        expect(sent.filter(statement => /current_setting|set_config|show |set local/.test(statement))).to.have.length(
          roles === undefined ? 0 : 1,
        );
      });

      it('S11 a savepoint that is the first thing in a transaction is rolled back to its tenant', async () => {
        await inTransaction(async tx => {
          await failureOf(tx.transactional(inner => inner.execute('select * from nowhere')));
          await isAcmes(tx);
        });
      });

      it('G4 a lock outside of a transaction is refused, as it is without tenants', async () => {
        for (const sql of ['lock table book in access share mode', 'LOCK book IN ACCESS SHARE MODE;']) {
          expect(sqlStateOf(await failureOf(runInTenant('acme', em => em.execute(sql)))), sql).to.equal('25P01');
        }
      });

      it('law 3 a lock leaves the path and the role of the transaction that it is in', async () => {
        await orm.em.fork().transactional(async tx => {
          await runInTenant('acme', em => em.execute('lock table book in access share mode'));
          expect(await titleNow(tx)).to.equal('decoy');
          expect(await tx.execute('select current_user = session_user as is_own')).to.deep.equal([{ is_own: true }]);
        });
      });

      it('G4 a lock is taken before the snapshot of the transaction', async function () {
        if (database.kind !== 'postgresql') {
          // it takes two connections
          return;
        }

        await runInTenant('acme', em =>
          em.transactional(
            async tx => {
              // the tenant is to be asked for again, which takes a snapshot
              TenantRules.of(orm.config).identities.outdate(['acme']);
              await tx.execute(roles === undefined ? 'lock table book in share mode' : 'lock table book in access share mode');
              // a snapshot that was taken by or before the lock does not have it
              await database.query(`insert into acme.tag (id, name) values (62, 'later')`);
              expect(await tx.count(Tag, { id: 62 })).to.equal(1);
            },
            { isolationLevel: 'repeatable read' as never },
          ),
        );
        await database.query('delete from acme.tag where id = 62');
      });
    });
  }
});
