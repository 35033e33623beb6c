import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { POOL_OF_ONE } from '../support/databases/idle-connections.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { expectSound } from '../support/databases/sound-pool.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases(
  'the place of a lost connection in its pool',
  database => {
    let orm: LibraryOrm;
    const pools: unknown[] = [];

    const kill = (): Promise<unknown> =>
      database.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      );

    before(async () => {
      orm = await openTwins(database, {
        ...POOL_OF_ONE,
        replicas: [{ name: 'replica', pool: { min: 0, max: 1 } }],
        driverOptions: { onPoolCreated: (pool: unknown) => pools.push(pool) },
      });
    });

    afterEach(() => expectSound(orm, database));

    it('N3 the user’s own `onPoolCreated` gets each pool', async () => {
      await runInTenant('acme', em => em.find(Book, {}));

      expect(pools).to.have.length(2);
      expect(pools).to.include(await orm.em.getConnection().getNativeClient());
    });

    it('N3 what the callback throws is what its transaction fails of, also where it cannot be rolled back', async () => {
      const own = new Error('own');

      const thrown = await failureOf(
        runInTenant('acme', em =>
          em.transactional(async tx => {
            await tx.count(Book);
            await kill();
            throw own;
          }),
        ),
      );

      expect(thrown).to.equal(own);
    });

    it('N3 a transaction that is begun and committed by hand on a lost connection need not be rolled back', async () => {
      await runInTenant('acme', async em => {
        const fork = em.fork();
        await fork.begin();
        await kill();
        await failureOf(fork.commit());
      });
    });

    it('N3 a refused commit is rolled back on the same connection, which is kept', async () => {
      const pid = async (): Promise<unknown> => orm.em.fork().execute('select pg_backend_pid() as pid');
      await database.query('alter table acme.loan alter constraint loan_book_id_foreign deferrable initially deferred');
      const before = await pid();

      const error = await failureOf(runInTenant('acme', em => em.transactional(tx => tx.nativeDelete(Book, 1))));

      expect(String(error)).to.contain('loan_book_id_foreign');
      expect(await pid()).to.deep.equal(before);
    });

    it('N3 a replica’s is given back too', async () => {
      const readAll = async (): Promise<string[]> => {
        const titles: string[] = [];

        for await (const { title } of orm.em
          .fork({ schema: 'acme' })
          .stream(Book, { orderBy: { id: 'asc' }, chunkSize: 1, connectionType: 'read' })) {
          titles.push(title);

          if (titles.length === 1 && mayKill) {
            await kill();
          }
        }

        return titles;
      };
      let mayKill = true;
      expect(String(await failureOf(readAll()))).to.match(/terminat/);
      mayKill = false;

      expect(await readAll()).to.deep.equal(['acme book 1', 'acme book 2']);
    });
  },
  ['postgresql'],
);
