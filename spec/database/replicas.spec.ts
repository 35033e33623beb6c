import { currentSchema, forEachTenant, runInTenant, tenants, type TenantService } from '@landlord/mikro-orm';
import { PostgreSqlDriver, type SqlEntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { createDatabase, onDatabases } from '../support/databases/database.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { initLibrary, LIBRARY_ENTITIES, newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openPlainOrm } from '../support/orm/open-orm.ts';
import { sqlMigration } from '../support/orm/tenant-set.ts';
import { openTwins } from '../support/orm/twins.ts';

onDatabases(
  'a replica that has not been told of any tenant',
  database => {
    const list = [sqlMigration('M1', 'create table "tag" ("id" serial primary key)', 'drop table "tag"')];
    let orm: LibraryOrm;
    let service: TenantService<Library>;
    let lagging: Awaited<ReturnType<typeof createDatabase>>;

    before(async () => {
      const primary = await openLibrary(database, { migrations: { migrationsList: list } });
      await primary.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await primary.close();
      lagging = await createDatabase('lagging');
      database.atEnd(() => lagging.close());
      orm = await initLibrary(
        database,
        { migrations: { migrationsList: list } },
        { driver: PostgreSqlDriver, replicas: [{ name: 'lagging', clientUrl: lagging.url }], preferReadReplicas: true },
      );
      service = tenants<Library>(orm);
    });

    beforeEach(() => (database.statements.length = 0));

    afterEach(() => {
      expect(database.statements.filter(sql => sql.includes('lagging'))).to.deep.equal([]);
    });

    it('C5 runs and reports find every tenant', async () => {
      list.push(sqlMigration('M2', 'alter table "tag" add column "name" text', 'alter table "tag" drop column "name"'));

      expect((await service.list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob']);
      expect((await service.preview()).flatMap(({ schemaNames: names }) => names)).to.deep.equal(['acme', 'bob']);
      expect(await service.migrate()).to.deep.include({ total: 2, upToDate: 0, failed: [] });
      expect(await service.migrate({ where: { domainUrl: 'bob.example.com' }, direction: 'down' })).to.deep.include({ total: 1 });
      const { tenants: statuses, orphans } = await service.status();
      expect(orphans).to.deep.equal([]);
      expect(statuses.map(({ schemaName, pending }) => [schemaName, pending])).to.deep.equal([
        ['acme', []],
        ['bob', ['M2']],
      ]);
      expect(await service.history('acme')).to.have.length(2);
    });

    it('C5 scopes find their tenant, and every visit is made', async () => {
      expect(await runInTenant('acme', () => currentSchema())).to.equal('acme');
      expect((await forEachTenant(() => currentSchema())).map(({ value }) => value)).to.deep.equal(['acme', 'bob']);
      expect(await forEachTenant(() => currentSchema(), { where: { schemaName: 'bob' } })).to.have.length(1);
    });

    it('C5 tenants are created, renamed and dropped', async () => {
      const carl = await service.create({ name: 'Carl', domainUrl: 'carl.example.com', schemaName: 'carl' });
      await service.rename('carl', 'carla');
      await service.rename(carl, 'karl');
      await service.drop('karl');

      expect(await storedTenants(database)).to.deep.equal(['acme', 'bob']);
      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob']);
    });
  },
  ['postgresql'],
);

let nextId = 100;

/** Reads and writes of authors, each of which MikroORM sends to the primary or to a replica. */
const WORKS: Readonly<Record<string, (em: SqlEntityManager) => unknown>> = {
  find: em => em.find(Author, {}),
  'find on the primary': em => em.find(Author, {}, { connectionType: 'write' }),
  'find on a replica': em => em.find(Author, {}, { connectionType: 'read' }),
  count: em => em.count(Author),
  'count on the primary': em => em.count(Author, {}, { connectionType: 'write' }),
  'count on a replica': em => em.count(Author, {}, { connectionType: 'read' }),
  'a query': em => em.qb(Author).getResultList(),
  'a query, counted': em => em.qb(Author).getCount(),
  'a query, streamed': async em => {
    for await (const _ of em.qb(Author).stream()) {
      // where it is read is all that matters
    }
  },
  'a query on a replica': em => em.createQueryBuilder(Author, 'a', 'read').execute(),
  'a query on the primary': em => em.createQueryBuilder(Author, 'a', 'write').execute(),
  'a query that inserts': em => em.qb(Author).insert({ id: nextId++, name: 'inserted' }).execute(),
  'a query that updates': em => em.qb(Author).update({ name: 'updated' }).where({ id: 2 }).execute(),
  'a query that deletes': em => em.qb(Author).delete({ name: 'inserted' }).execute(),
  'a query of the driver': em => em.getDriver().createQueryBuilder(Author).withSchema('acme').execute(),
  nativeUpdate: em => em.nativeUpdate(Author, { id: 2 }, { name: 'updated' }),
  flush: async em => {
    (await em.findOneOrFail(Author, 1)).name = `at ${performance.now()}`;
    await em.flush();
  },
  'in a transaction': em =>
    em.transactional(async tx => {
      await tx.find(Author, {});
      await tx.count(Author);
      await tx.qb(Author).getResultList();
      await tx.getDriver().createQueryBuilder(Author, tx.getTransactionContext()).withSchema('acme').execute();
    }),
};

onDatabases(
  'a replica beside the primary',
  database => {
    before(async () => {
      await openTwins(database);
    });

    for (const preferReadReplicas of [true, false]) {
      it(`G4 each read and write of a tenant goes to the server that stock sends it to, with preferReadReplicas: ${preferReadReplicas}`, async () => {
        const config = { driver: PostgreSqlDriver, replicas: [{ name: 'replica' }], preferReadReplicas };
        const orm = await initLibrary(database, {}, config);
        const stock = await openPlainOrm(database, { ...config, entities: LIBRARY_ENTITIES.filter(entity => entity !== Library) });

        for (const [name, work] of Object.entries(WORKS)) {
          const expected = await serversOf(() => work(stock.em.fork({ schema: 'acme' }) as SqlEntityManager));
          const servers = await serversOf(() => runInTenant('acme', em => work(em), { orm }));

          expect(expected, name).not.to.deep.equal([]);
          expect(servers, name).to.deep.equal(expected);
        }
      });
    }

    async function serversOf(work: () => unknown): Promise<readonly unknown[]> {
      database.statements.length = 0;
      await work();

      return database.statements.filter(sql => sql.includes('"author"')).map(sql => / \(via (\w+) connection '/.exec(sql)?.[1]);
    }
  },
  ['postgresql'],
);
