import { runInTenant, tenants, type TenantError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { createRequire } from 'node:module';
import { createApp } from '../../../docs/examples/bookshop/app.ts';
import { Book } from '../../../docs/examples/bookshop/entities.ts';
import { Migration20260101000001_create_books } from '../../../docs/examples/bookshop/migrations/tenant/Migration20260101000001_create_books.ts';
import { Migration20260501000000_index_titles } from '../../../docs/examples/replicas-and-poolers/Migration20260501000000_index_titles.ts';
import { addAndCount } from '../../../docs/examples/replicas-and-poolers/reads.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { ownDatabase } from '../../support/databases/own-database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import { openConfig, type OpenedOn, type SpecOrm } from '../../support/orm/open-orm.ts';
import { serve } from '../../support/web/web-server.ts';

onDatabases(
  'the page on replicas',
  database => {
    it('C5 reads come from the replica, except those that the page sends to the primary', async () => {
      const first = await openBookshop(database);
      await createShop('acme');
      await first.close();
      const orm = await openReplicated(database.url ?? '');

      expect(await addAndCount('Emma')).to.deep.equal({ replica: 1, primary: 1, inTransaction: 1 });
      const reads = database.statements.filter(each => each.includes('select count(*)'));
      expect(reads.map(each => each.includes(`via read connection 'replica'`))).to.deep.equal([true, false, false]);
      const writes = database.statements.filter(each => each.includes('insert into'));
      expect(writes.filter(each => each.includes('replica'))).to.deep.equal([]);
      await orm.close();
    });

    it('S12 a replica in which a schema is not the same one is refused', async () => {
      const logical = await ownDatabase(database, 'logical');
      const first = await openBookshop({ options: () => logical.options(), atEnd: each => database.atEnd(each) });
      await createShop('acme');
      await first.close();
      const orm = await openReplicated(String(logical.options().clientUrl));

      await createShop('bob');
      expect(
        await refusal(
          runInTenant('acme', em => em.find(Book, {})),
          'TENANT_CHANGED',
        ),
      ).to.be.an('error');
      expect(
        await refusal(
          runInTenant('bob', em => em.find(Book, {})),
          'TENANT_CHANGED',
        ),
      ).to.be.an('error');
      expect(await runInTenant('bob', em => em.find(Book, {}, { connectionType: 'write' }))).to.deep.equal([]);
      await orm.close();
    });

    async function openReplicated(replica: string): Promise<SpecOrm> {
      process.env['PRIMARY_URL'] = database.url;
      process.env['REPLICA_URL'] = replica; // the config is read once
      database.statements.length = 0;

      return openConfig(database, { ...configOf('replica'), replicas: [{ name: 'replica', clientUrl: replica }] });
    }
  },
  ['postgresql'],
);

onDatabases(
  'the page on poolers',
  database => {
    let direct: OpenedOn;

    before(async () => {
      const url = new URL(process.env['DATABASE_URL'] ?? '');
      url.pathname = new URL(database.url ?? '').pathname;
      process.env['POOLER_URL'] = database.url;
      process.env['DIRECT_URL'] = url.href;
      direct = { ...database, options: () => ({ ...database.options(), clientUrl: url.href }) };
    });

    it('H10 a process behind a pooler hears of changes past it', async () => {
      const other = await openBookshop(direct);
      await createShop('acme');
      const orm = await openConfig(database, configOf('pooler'));
      const server = await serve(createApp(orm.em, { orm }));

      expect((await server.get('acme.example.com')).body).to.equal('acme');
      expect((await server.get('bob.example.com')).status).to.equal(404);
      await tenants(other).create({ name: 'bob', domainUrl: 'bob.example.com', schemaName: 'bob' });
      // an unknown host would be remembered for five seconds
      await until('the new tenant is served', async () => (await server.get('bob.example.com')).status === 200, 2_000);
      await server.close();
      await Promise.all([orm.close(), other.close()]);
    });

    it('M17 a migration outside of a transaction is refused through the pooler, and works past it', async () => {
      const migrations = { migrationsList: [Migration20260101000001_create_books, Migration20260501000000_index_titles] };
      const through = await openBookshop(database, { migrations });
      const { failed } = await tenants(through).migrate();
      expect(failed.map(({ error }) => (error as TenantError).code)).to.deep.equal(['MIGRATION_NEEDS_SESSION', 'MIGRATION_NEEDS_SESSION']);
      await through.close();
      const past = await openBookshop(direct, { migrations });
      expect((await tenants(past).migrate()).migrated).to.have.length(2);
      await past.close();
    });
  },
  ['pgbouncer'],
);

/** The config of the page, read now that the variables are set. Imported, it would come with a second copy of the library. */
function configOf(name: 'replica' | 'pooler'): object {
  return createRequire(import.meta.url)(`../../../docs/examples/replicas-and-poolers/${name}.config.ts`).default;
}
