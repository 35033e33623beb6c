import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author } from '../../fixtures/entities/index.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { expectSound } from '../support/databases/sound-pool.ts';
import { openTcpProxy, type MessageFate, type TcpProxy } from '../support/faults/tcp-proxy.ts';
import { whileHeard } from '../support/orm/heard-changes.ts';
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

const GRANTS = [
  'grant usage on schema acme to public',
  'do $$ begin revoke usage on schema acme, public from pg_monitor; end $$',
  'alter schema "acme" owner to current_user',
];

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

    for (const [name, times, outcome] of [
      ['is sent again', 1, 'again'],
      ['is refused as changed if it has lost it again', 2, 'TENANT_CHANGED'],
    ] as const) {
      it(`S12 what was sent alone meanwhile ${name}`, async () => {
        await runInTenant(
          'acme',
          async em => {
            await em.fork().find(Author, {});
            let messages = 0;
            // each is followed by the question who has the name now
            proxy.decide = async (): Promise<MessageFate> => {
              messages += 1;

              if (messages <= 2 * times) {
                const [from, to] = messages % 2 === 1 ? ['acme', 'elsewhere'] : ['elsewhere', 'acme'];
                await database.query(`alter schema ${from} rename to ${to}`);
              }

              return 'pass';
            };
            const writing = whileHeard(orm, () => em.execute(`update "acme"."author" set "name" = 'again' where "id" = 1`, [], 'run'));

            if (outcome === 'again') {
              await writing;
            } else {
              expect(sqlStateOf((await refusal(writing, outcome)).cause)).to.equal('42P01');
            }
          },
          { orm },
        );
        proxy.decide = undefined;
        expect(await database.query('select name from acme.author where id = 1')).to.deep.equal([
          { name: outcome === 'again' ? 'again' : 'acme author 1' },
        ]);
        await database.query(`update acme.author set name = 'acme author 1' where id = 1`);
        await expectSound(orm, database);
      });
    }

    it('S12 a division by zero of the user’s own is told as it is, alone and in a transaction, also if the tenant’s schema has changed', async () => {
      await runInTenant(
        'acme',
        async em => {
          await database.query('grant usage on schema acme to public');

          for (const write of [
            () => em.execute('update author set id = 1 / 0'),
            () => em.execute('update "acme"."author" set "id" = 1 / 0'),
            () => em.transactional(tx => tx.execute('update "acme"."author" set "id" = 1 / 0')),
          ]) {
            const error = await failureOf(write());
            expect(sqlStateOf(error)).to.equal('22012');
            expect(error).not.to.have.property('code', 'TENANT_CHANGED');
          }
        },
        { orm },
      );
    });

    it('S12 a tenant whose schema was granted to somebody has its name throughout', async () => {
      await runInTenant(
        'acme',
        async em => {
          await em.fork().find(Author, {});
          await database.query('revoke usage on schema acme from public');
          await em.execute(`update "acme"."author" set "name" = 'granted' where "id" = 1`);

          for (const grant of GRANTS) {
            await em.transactional(async tx => {
              await tx.nativeUpdate(Author, { id: 1 }, { name: 'granted' });
              await tx.execute(grant);
              await tx.nativeUpdate(Author, { id: 1 }, { name: 'granted' });
            });
            await em.transactional(tx => tx.nativeUpdate(Author, { id: 1 }, { name: 'granted' }));
            await em.execute(grant);
            await em.transactional(tx => tx.nativeUpdate(Author, { id: 1 }, { name: 'granted' }));
            await em.transactional(tx => tx.execute(`update "acme"."author" set "name" = 'a; b' where "id" = 1`));
          }
        },
        { orm },
      );
    });

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
