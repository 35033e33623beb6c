import {
  runInTenant,
  runInPublic,
  tenants,
  type SharedRowInUseError,
  type TablesStayedLocalError,
  type TenantExistsError,
} from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book, Genre } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { historyOf, schemaNames } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { localTables, openCitusLibrary } from '../support/orm/citus-library.ts';
import { initLibrary, newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { loadTenantSet, sqlMigration, type MigrationEntry } from '../support/orm/tenant-set.ts';

for (const withRoles of [false, true]) {
  onDatabases(
    `tenants on Citus as an ordinary user, ${withRoles ? 'with' : 'without'} roles`,
    database => {
      let list: MigrationEntry[] = [];
      let orm: LibraryOrm;
      let close: () => Promise<void> = async () => undefined;

      before(async () => {
        ({ orm, list, close } = await openCitusLibrary(database, { withRoles }));
      });

      after(() => close());

      it('X1 a tenant is created, and its rows are its own', async () => {
        await runInTenant('acme', async em => {
          const genre = em.getReference(Genre, 1);
          await em.persistAndFlush(em.create(Book, { title: 'Emma', author: em.create(Author, { name: 'Jane' }), genre } as never));
        });

        expect(await runInTenant('acme', em => em.count(Book))).to.equal(1);
        expect(await runInTenant('bob', em => em.count(Book))).to.equal(0);
        expect(await runInTenant('acme', em => em.execute('select title from book'))).to.deep.equal([{ title: 'Emma' }]);
        expect(await localTables(database)).to.deep.equal([]);
      });

      it('X1 a migration runs in all tenants, and one that leaves a table on the coordinator is refused and rolled back', async () => {
        list.push(
          sqlMigration('Migration20990101000000', [
            'alter table "author" add column "born" int; create index "born_index" on "author" ("born")',
          ]),
        );
        const { migrated, failed } = await tenants(orm).migrate(RUN);
        expect([migrated.length, failed]).to.deep.equal([2, []]);
        list.push(sqlMigration('Migration20990101000001', 'do $$ begin create table "hidden" ("id" int); end $$'));
        const run = await tenants(orm).migrate({ ...RUN, retries: 0 });
        expect(run.failed.map(({ error }) => (error as TablesStayedLocalError).code)).to.deep.equal([
          'TENANT_TABLES_LOCAL',
          'TENANT_TABLES_LOCAL',
        ]);
        await refusal(orm.em.fork().persistAndFlush(newLibrary('carl')), 'TENANT_TABLES_LOCAL');
        list.pop();
        expect(await schemaNames(database)).to.not.include('carl');
        expect((await historyOf(database, 'acme'))?.at(-1)).to.equal('Migration20990101000000');
      });

      it('X1 what Citus refuses in a run is said with what to write instead', async () => {
        list.push(sqlMigration('Migration20990101000002', 'alter table "author" rename constraint "author_pkey" to "author_key"'));
        const { failed } = await tenants(orm).migrate({ ...RUN, retries: 0, only: ['acme'] });
        list.pop();

        expect(String(failed[0]?.error)).to.include('Drop it and add it under the new name');
      });

      it('R4 X1 an error of a node names the tenant and the constraint', async () => {
        const error = (await refusal(
          runInPublic(em => em.nativeDelete(Genre, { id: 1 }), { orm }),
          'SHARED_ROW_IN_USE',
        )) as SharedRowInUseError;

        expect(error).to.include({ schemaName: 'acme', table: 'book' });
        expect(error.constraint).to.match(/^book_/);
      });

      it('T9 X1 a name that another tenant has is refused by its property', async () => {
        const error = (await refusal(
          orm.em.fork().persistAndFlush(Object.assign(newLibrary('dora'), { domainUrl: 'acme.example.com' })),
          'TENANT_ALREADY_EXISTS',
        )) as TenantExistsError;

        expect(error.message).to.include('domainUrl');
      });

      it('X1 tenants are equal to what the set makes, renamed with their rows, and dropped', async () => {
        expect(await tenants(orm).drift()).to.deep.include({ equal: 2, drifted: [] });
        await tenants(orm).rename('acme', 'acme2');
        expect(await runInTenant('acme2', em => em.count(Book))).to.equal(1);
        await tenants(orm).drop('acme2');
        expect(await schemaNames(database)).to.not.include('acme2');
        expect(await runInTenant('bob', em => em.count(Book))).to.equal(0);
      });

      it('X1 a tenant that is on the coordinator is distributed with its rows', async () => {
        // as it was made before Citus: with `serial`, and by somebody who may do so on a coordinator
        const before = [...(await loadTenantSet()), ...list.slice(1)];
        const plain = await initLibrary(database, { citus: { shardTenants: false }, migrations: { migrationsList: before } });
        await plain.em.fork().persistAndFlush(newLibrary('emil'));
        await runInTenant('emil', em => em.persistAndFlush(em.create(Author, { name: 'Erich' })), { orm: plain });
        expect((await tenants(plain).placement({ only: ['emil'] }))[0]).to.include({ isSharded: false, node: 'coordinator' });
        await tenants(plain).distribute('emil');

        expect((await tenants(plain).placement({ only: ['emil'] }))[0]).to.include({ isSharded: true });
        expect(await runInTenant('emil', em => em.find(Author, {}, { fields: ['name'] }), { orm: plain })).to.have.length(1);
        expect(await localTables(database)).to.deep.equal([]);
        await plain.close();
      });
    },
    ['citus'],
  );
}

/** Its public tables are made by the schema generator. */
const RUN = { skipPublicCheck: true } as const;
