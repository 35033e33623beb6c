import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Book, Library, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases, SERVER_AND_POOLER } from '../support/databases/database.ts';
import { Gate } from '../support/assertions/gate.ts';
import { POOL_OF_ONE } from '../support/databases/idle-connections.ts';
import { openLibrary } from '../support/orm/library-orm.ts';
import { poolOf } from '../support/databases/sound-pool.ts';
import { openTcpProxy } from '../support/faults/tcp-proxy.ts';
import { openTwins } from '../support/orm/twins.ts';
import { until } from '../support/assertions/until.ts';

onDatabases(
  'closing while something is under way',
  database => {
    let acme: Library;
    let bob: Library;

    before(async () => {
      const orm = await openTwins(database);
      [acme, bob] = (await orm.em.fork().find(Library, {}, { orderBy: { schemaName: 'asc' } })) as [Library, Library];
      await orm.close();
    });

    it('N4 waits for what is being given a connection, answers it, and leaves none', async () => {
      const proxy = await openTcpProxy(database.url ?? '');
      const gate = new Gate();
      const orm = await openLibrary(database, {}, { clientUrl: proxy.url, pool: { min: 0, max: 5, idleTimeoutMillis: 1 } });

      try {
        const start = new Gate();
        // by name: the rows were loaded from another address
        const titles = ['acme', 'bob'].map(name =>
          runInTenant(
            name,
            async em => {
              await start.pass();

              return (await em.findOneOrFail(Book, 1)).title;
            },
            { orm },
          ),
        );
        await until('both are in their scopes', () => start.waiting === 2);
        await until('no connection is open', async () => (await poolOf(orm)).totalCount === 0);
        proxy.decide = () => gate.pass().then(() => 'pass');
        start.open();
        start.open();
        // and perhaps one that listens
        await until('both connections are being made', () => gate.waiting >= 2);
        const closed = orm.close();
        proxy.decide = undefined;

        while (gate.waiting > 0) {
          gate.open();
        }

        expect(await Promise.all(titles)).to.deep.equal(['acme book 1', 'bob book 1']);
        await closed;
      } finally {
        // before the ORM, as what still waits for a connection then fails
        await proxy.close();
        await orm.close();
      }
    });

    it('N4 waits for a transaction, and for what waits for its connection', async () => {
      const orm = await openLibrary(database, {}, POOL_OF_ONE);
      const gate = new Gate();

      try {
        const start = new Gate();
        const waiting = runInTenant(
          bob,
          async em => {
            await start.pass();

            return em.count(Tag, { id: 40 });
          },
          { orm },
        );
        await until('one is in its scope', () => start.waiting === 1);
        const written = runInTenant(
          acme,
          em =>
            em.transactional(async () => {
              await em.insert(Tag, { id: 40, name: 'of acme' });
              await gate.pass();
            }),
          { orm },
        );
        await until('it is under way', () => gate.waiting === 1);
        start.open();
        await until('the other waits', async () => (await poolOf(orm)).waitingCount === 1);
        const closed = orm.close();
        gate.open();

        await written;
        expect(await waiting).to.equal(0);
        await closed;
        expect(await database.query('select name from acme.tag where id = 40')).to.deep.equal([{ name: 'of acme' }]);
      } finally {
        gate.open();
        await orm.close();
      }
    });
  },
  SERVER_AND_POOLER,
);
