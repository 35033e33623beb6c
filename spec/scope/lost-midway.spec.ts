import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book, Genre } from '../../fixtures/entities/index.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectSound } from '../support/databases/sound-pool.ts';
import { openTcpProxy, type MessageFate, type TcpProxy } from '../support/faults/tcp-proxy.ts';
import { whileHeard } from '../support/orm/heard-changes.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';

/** Works of several statements, each in one transaction of MikroORM's. */
const WORKS: Readonly<Record<string, (em: TenantEntityManager) => Promise<unknown>>> = {
  'a flush': async em => {
    writeOn(em);
    await em.flush();
  },
  'a flush of a fork': async em => {
    const fork = em.fork();
    writeOn(fork);
    await fork.flush();
  },
  'a transaction that reads and writes': em =>
    em.transactional(async tx => {
      await tx.find(Author, {});
      await tx.nativeUpdate(Author, { id: 1 }, { name: 'lost' });
      await tx.qb(Book).update({ title: 'lost' }).execute();
    }),
  'a transaction with a flush in it, and raw SQL': em =>
    em.transactional(async tx => {
      await tx.execute('select 1');
      writeOn(tx);
      await tx.flush();
      await tx.execute(`update author set name = 'lost'`);
    }),
  'a savepoint': em =>
    em.transactional(async tx => {
      await tx.count(Author);
      await tx.transactional(async inner => {
        writeOn(inner);
      });
    }),
};

function writeOn(em: TenantEntityManager): void {
  em.persist(em.create(Genre, { id: 7, name: 'lost', description: '' }));
  em.persist(em.create(Author, { id: 7, name: 'lost' }));
  em.persist(em.create(Book, { id: 7, title: 'lost', author: 7 }));
}

onDatabases(
  'a tenant that loses its name in the middle of work',
  database => {
    let orm: LibraryOrm;
    let proxy: TcpProxy;

    before(async () => {
      proxy = await openTcpProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      orm = await openTwins(database, { clientUrl: proxy.url, pool: { min: 1, max: 1 } }, { directory: { listen: false } });
    });

    afterEach(() => {
      proxy.decide = undefined;
    });

    for (const [name, work] of Object.entries(WORKS)) {
      for (const [change, giveBackAfter] of [
        ['for good', Infinity],
        ['for a moment', 1],
      ] as const) {
        it(`S12 is told that it has, and nothing is stored, at whichever message another process renames it ${change}: ${name}`, async () => {
          const untouched = await everyRowOfTwins(database);
          let told = 0;

          for (let at = 1, hasEnded = false; !hasEnded; at += 1) {
            const rename = renamingAt(at, giveBackAfter);
            let failure: Error | undefined;
            proxy.decide = undefined;
            await runInTenant(
              'acme',
              async em => {
                await em.fork().count(Author);
                proxy.decide = () => rename.decide();
                failure = await work(em).then(
                  () => undefined,
                  (error: Error) => error,
                );
                proxy.decide = undefined;
              },
              { orm },
            );
            await rename.giveBack();
            hasEnded = rename.sent < at;

            if (failure !== undefined) {
              told += 1;
              expect(failure, `at message ${at}: ${String(failure)}`).to.have.property('code', 'TENANT_CHANGED');
              expect(await everyRowOfTwins(database), `at message ${at}`).to.deep.equal(untouched);
            } else {
              // it had its name when it was committed
              await undo();
            }

            await expectSound(orm, database);
          }

          expect(told).to.be.greaterThan(change === 'for good' ? 2 : 0);
        });
      }
    }

    it('S12 a table that is not there is told as that where the tenant has its name, and where the transaction is still open', async () => {
      await runInTenant(
        'acme',
        async em => {
          expect(sqlStateOf(await failureOf(em.transactional(tx => tx.execute('select * from nothing'))))).to.equal('42P01');
          expect(sqlStateOf(await failureOf(em.transactional(tx => tx.execute('select * from "nobody"."author"'))))).to.equal('42P01');
          await em.transactional(async tx => {
            expect(sqlStateOf(await failureOf(tx.transactional(inner => inner.execute('select * from nothing'))))).to.equal('42P01');
            await tx.count(Author);
          });
        },
        { orm },
      );
      await expectSound(orm, database);
    });

    it('S12 has what PostgreSQL has said as its cause, and the next work of the name is another’s', async () => {
      await runInTenant(
        'acme',
        async em => {
          await em.count(Author);
          const losing = (): Promise<unknown> =>
            em.transactional(async tx => {
              await database.query('alter schema acme rename to elsewhere');
              await tx.nativeUpdate(Author, { id: 1 }, { name: 'lost' });
            });
          const refused = await whileHeard(orm, () => refusal(losing, 'TENANT_CHANGED'));
          expect(sqlStateOf(refused.cause)).to.equal('42P01');
          await refusal(() => em.count(Author), 'TENANT_CHANGED');
        },
        { orm },
      );
      await database.query('alter schema elsewhere rename to acme');
    });

    /** Renames the tenant's schema before the message of this number is passed on, and gives the name back so many messages later. */
    function renamingAt(at: number, giveBackAfter: number): Renaming {
      let isAway = false;
      const renaming: Renaming = {
        sent: 0,
        decide: async () => {
          renaming.sent += 1;

          if (renaming.sent === at) {
            isAway = true;
            await database.query('alter schema acme rename to elsewhere');
          } else if (renaming.sent === at + giveBackAfter) {
            await renaming.giveBack();
          }

          return 'pass';
        },
        giveBack: async () => {
          if (isAway) {
            isAway = false;
            await database.query('alter schema elsewhere rename to acme');
          }
        },
      };

      return renaming;
    }

    async function undo(): Promise<void> {
      await database.query(`delete from acme.book where id = 7`);
      await database.query(`delete from acme.author where id = 7`);
      await database.query(`delete from public.genre where id = 7`);
      await database.query(`update acme.author set name = 'acme author ' || id`);
      await database.query(`update acme.book set title = 'acme book ' || id`);
    }
  },
  ['postgresql'],
);

interface Renaming {
  sent: number;
  decide(): Promise<MessageFate>;
  giveBack(): Promise<void>;
}
