import { currentSchema, forEachTenant, runInTenant, tenants, type TenantService } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import type { Library } from '../../fixtures/entities/index.ts';
import { createDatabase, onDatabases } from '../support/databases/database.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { initLibrary, newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { sqlMigration } from '../support/orm/tenant-set.ts';

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
