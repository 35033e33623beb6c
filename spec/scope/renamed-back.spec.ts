import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author } from '../../fixtures/entities/index.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectSound } from '../support/databases/sound-pool.ts';
import { openTcpProxy, type MessageFate, type TcpProxy } from '../support/faults/tcp-proxy.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** Writes that are committed by a message of their own. */
const WRITES: Readonly<Record<string, (em: TenantEntityManager, meanwhile: () => Promise<void>) => Promise<unknown>>> = {
  'a transaction': (em, meanwhile) =>
    em.transactional(async tx => {
      await tx.nativeUpdate(Author, { id: 1 }, { name: 'lost' });
      await meanwhile();
    }),
  '`begin` and `commit`': async (em, meanwhile) => {
    const fork = em.fork();
    await fork.begin();
    await fork.execute(`update author set name = 'lost' where id = 1`);
    await meanwhile();
    await fork.commit().catch(async (error: unknown) => {
      await fork.rollback();
      throw error;
    });
  },
};

onDatabases(
  'a tenant that has its name again',
  database => {
    let orm: LibraryOrm;
    let proxy: TcpProxy;

    before(async () => {
      proxy = await openTcpProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      orm = await openTwins(database, { clientUrl: proxy.url, pool: { min: 1, max: 1 } }, { directory: { listen: false } });
    });

    for (const [name, write] of Object.entries(WRITES)) {
      it(`S12 what is committed while it has not is refused as changed, also where it has it again when it is asked: ${name}`, async () => {
        await runInTenant(
          'acme',
          async em => {
            const refused = await refusal(
              write(em, async () => {
                await database.query('alter schema acme rename to elsewhere');
                let messages = 0;
                // the first commits, and fails
                proxy.decide = async (): Promise<MessageFate> => {
                  messages += 1;

                  if (messages === 2) {
                    await database.query('alter schema elsewhere rename to acme');
                  }

                  return 'pass';
                };
              }),
              'TENANT_CHANGED',
            );
            expect(sqlStateOf(refused.cause)).to.equal('22012');
          },
          { orm },
        );
        proxy.decide = undefined;
        expect(await database.query('select name from acme.author where id = 1')).to.deep.equal([{ name: 'acme author 1' }]);
        await expectSound(orm, database);
      });
    }

    it('S12 a division by zero in what was deferred until the commit is the user’s', async () => {
      await database.query(
        `create function public.divide() returns trigger language plpgsql as $$ begin perform 1 / (new.id - 1); return new; end $$`,
      );
      await database.query(
        `create constraint trigger divides after update on acme.author deferrable initially deferred for each row execute function public.divide()`,
      );
      const error = await failureOf(
        runInTenant('acme', em => em.transactional(tx => tx.nativeUpdate(Author, { id: 1 }, { name: 'lost' })), { orm }),
      );
      expect(sqlStateOf(error)).to.equal('22012');
      expect(error).not.to.have.property('code', 'TENANT_CHANGED');
      await expectSound(orm, database);
    });
  },
  ['postgresql'],
);
