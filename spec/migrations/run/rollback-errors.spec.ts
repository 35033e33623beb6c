import type { MigrationError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, type TenantSet } from '../../support/orm/tenant-set.ts';
import { historyOf } from '../../support/databases/catalog.ts';

onDatabases(
  'errors whose rollback fails',
  database => {
    let set: TenantSet;

    before(async () => {
      set = await openTenantSet(database);
    });

    after(() => set.clear());

    it('M9 the first error is reported, with that of the rollback beside it, and a lost connection is tried again', async () => {
      let tries = 0;
      await set.create('acme');
      set.use(
        migrationOf('M2', async migration => {
          const [row] = await migration.execute('select pg_backend_pid() as pid');
          tries += 1;
          await database.query('select pg_terminate_backend($1, 5000)', [row?.['pid']]);
          throw new Error('of the migration');
        }),
      );

      const error = (await set.tenants.migrate({ retries: 1 })).failed[0]?.error as
        | (MigrationError & { rollbackError?: unknown })
        | undefined;

      expect(error?.code, String(error)).to.equal('MIGRATION_FAILED');
      expect(error?.cause).to.have.property('message', 'of the migration');
      expect(error?.rollbackError).to.be.instanceOf(Error);
      expect([tries, await historyOf(database, 'acme')]).to.deep.equal([2, ['M1']]);
    });
  },
  ['postgresql'],
);
