import type { MigrateOptions, RunNotice, RunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { TenantDatabase } from '../../../dist/database/tenant-database.js';
import { migrateTenant } from '../../../dist/migrations/run/migrate-tenant.js';
import { planRun } from '../../../dist/migrations/run/plan-run.js';
import { runOverTenants } from '../../../dist/migrations/run/run-over-tenants.js';
import { loadMigrationSet } from '../../../dist/migrations/set/migration-set.js';
import { schemaNamesOf } from '../../support/assertions/run-result.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';

const NAMES = ['t1', 't2', 't3', 't4', 't5'];

onDatabases('tenants that are renamed or deleted during a run', database => {
  let set: TenantSet;
  const notices: RunNotice[] = [];

  before(async () => {
    set = await openTenantSet(database);
  });

  beforeEach(async () => {
    await set.create(...NAMES);
    notices.length = 0;
  });

  afterEach(() => set.clear());

  it('M38 one that is renamed is migrated under its new name, and one that is deleted is left out; both are told, and neither has failed', async () => {
    const result = await migrateAfter(async () => {
      await set.tenants.rename('t2', 'moved');
      await set.tenants.drop('t4');
    });

    expect([schemaNamesOf(result.migrated), result.failed, result.gone]).to.deep.equal([['moved', 't1', 't3', 't5'], [], ['t4']]);
    expect([result.total, result.upToDate, result.notBegun]).to.deep.equal([5, 0, []]);
    expect(notices.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).to.deep.equal([
      { kind: 'gone', schemaName: 't4' },
      { kind: 'renamed', schemaName: 't2', to: 'moved' },
    ]);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['moved', 't1', 't3', 't5']);
    expect(await historyOf(database, 'moved')).to.deep.equal(['M1', 'M2']);
  });

  it('M38 one is found whose name another one has taken, and both are migrated', async () => {
    const result = await migrateAfter(async () => {
      await set.tenants.rename('t2', 'moved');
      await set.tenants.rename('t3', 't2');
    });

    expect([schemaNamesOf(result.migrated), result.failed, result.gone]).to.deep.equal([['moved', 't1', 't2', 't4', 't5'], [], []]);
    expect([result.total, result.upToDate, result.notBegun]).to.deep.equal([5, 0, []]);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['moved', 't1', 't2', 't4', 't5']);
    expect(await historyOf(database, 'moved')).to.deep.equal(['M1', 'M2']);
    expect(await historyOf(database, 't2')).to.deep.equal(['M1', 'M2']);
  });

  it('M38 two that have changed their names are migrated once each', async () => {
    const result = await migrateAfter(async () => {
      await set.tenants.rename('t2', 'moved');
      await set.tenants.rename('t3', 't2');
      await set.tenants.rename('moved', 't3');
    });

    expect([schemaNamesOf(result.migrated), result.failed, result.notBegun]).to.deep.equal([NAMES, [], []]);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(NAMES);
  });

  it('M38 a schema that was made anew is that of its tenant', async () => {
    const result = await migrateAfter(async () => {
      await database.query('alter schema t3 rename to former');
      await database.query('create schema t3');
      await database.query(`comment on schema t3 is 'tenant of @landlord/mikro-orm'`);

      for (const table of ['tag', 'mikro_orm_migrations']) {
        await database.query(`create table t3.${table} (like former.${table} including all)`);
        await database.query(`insert into t3.${table} select * from former.${table}`);
      }

      await database.query(`select setval(pg_get_serial_sequence('t3.mikro_orm_migrations', 'id'), 10)`);
    });

    expect([schemaNamesOf(result.migrated), result.failed, result.gone]).to.deep.equal([NAMES, [], []]);
    await database.query('drop schema former cascade');
  });

  it('M38 a schema that is gone without its tenant is a failure still', async () => {
    const result = await migrateAfter(() => database.query('drop schema t3 cascade'));

    expect([schemaNamesOf(result.failed), result.gone]).to.deep.equal([['t3'], []]);
    expect(result.failed[0]?.error).to.include({ code: 'SCHEMA_MISSING' });
    await database.query('create schema t3');
    await database.query(`comment on schema t3 is 'tenant of @landlord/mikro-orm'`);
  });

  describe('before their histories are read', () => {
    const migrateMoved = async (change: () => Promise<unknown>, options: MigrateOptions = {}): Promise<RunResult> => {
      set.use(sqlMigration('M2', 'alter table "tag" add column "colour" text'));
      const all = await loadMigrationSet(databaseOf());
      const target = { direction: 'up' } as const;
      let changed: Promise<unknown> | undefined;

      return runOverTenants(
        databaseOf(),
        { ...options, onNotice: notice => notices.push(notice) },
        {
          set: async () => all,
          target,
          plan: async (names, read) => {
            await (changed ??= change());

            return planRun(databaseOf(), { load: async () => all }, target, names, read);
          },
          workOn: migrateTenant,
        },
      );
    };
    const databaseOf = (): TenantDatabase => TenantDatabase.of(set.orm.config);

    it('M38 one that is renamed is migrated under its new name, and neither it nor one that is deleted has failed', async () => {
      const result = await migrateMoved(async () => {
        await set.tenants.rename('t2', 'moved');
        await set.tenants.drop('t4');
      });

      expect([schemaNamesOf(result.migrated), result.failed, result.gone]).to.deep.equal([['moved', 't1', 't3', 't5'], [], ['t2', 't4']]);
      expect([result.total, result.upToDate, result.notBegun]).to.deep.equal([4, 0, []]);
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['moved', 't1', 't3', 't5']);
    });

    it('M38 a run whose canary has another name by then does not begin', async () => {
      const failure = await migrateMoved(() => set.tenants.rename('t2', 'moved'), { canary: ['t2'] }).catch((error: unknown) => error);

      expect(failure).to.include({ code: 'TENANT_UNKNOWN' });
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal([]);
    });

    it('M38 one that was named is told to be gone, and none that was left out is migrated under another name', async () => {
      const named = await migrateMoved(() => set.tenants.rename('t2', 'moved'), { only: ['t1', 't2'] });
      expect([schemaNamesOf(named.migrated), named.failed, named.gone]).to.deep.equal([['t1'], [], ['t2']]);

      const others = await migrateMoved(
        async () => {
          await set.tenants.rename('t3', 'hidden');
          await set.tenants.drop('t4');
        },
        { skip: ['t3'] },
      );
      expect([schemaNamesOf(others.migrated), others.failed, others.gone]).to.deep.equal([['moved', 't5'], [], ['t4']]);
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['moved', 't1', 't5']);
    });
  });

  it('M38 a canary that is renamed and fails stops the run all the same', async () => {
    const result = await migrateAfter(
      async () => {
        await set.tenants.rename('t2', 'moved');
        await database.query('alter table moved.tag add column colour text');
      },
      { canary: ['t2'] },
    );

    expect([schemaNamesOf(result.failed), result.stopped]).to.deep.equal([['moved'], { reason: 'canary' }]);
    expect(result.notBegun).to.deep.equal(['t1', 't3', 't4', 't5']);
  });

  /** Changes something when all histories have been read, before the first tenant is migrated. */
  function migrateAfter(change: () => Promise<unknown>, options: MigrateOptions = {}): Promise<RunResult> {
    let changed: Promise<unknown> | undefined;
    set.use(
      migrationOf('M2', async migration => {
        await changed;
        migration.addSql('alter table "tag" add column "colour" text');
      }),
    );

    return set.tenants.migrate({
      concurrency: 1,
      ...options,
      onPlan: () => {
        changed = change();
      },
      onNotice: notice => notices.push(notice),
    });
  }
});
