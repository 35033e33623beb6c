import { MigrationError, SchemaMissingError, type RunPlan, type RunResult, type TenantRunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { until } from '../../support/assertions/until.ts';
import { errorIn } from '../../support/assertions/run-result.ts';
import { refusal } from '../../support/assertions/refusal.ts';

const M2 = sqlMigration('M2', 'alter table "tag" add column "colour" text', 'alter table "tag" drop column "colour"');
const M3 = sqlMigration('M3', 'alter table "tag" add column "shape" text', 'alter table "tag" drop column "shape"');

// not through the pooler: with its one connection, only one tenant can be migrated at a time
onDatabases('a run over tenants', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  beforeEach(() => set.create('acme', 'bob', 'carl'));
  afterEach(() => set.clear());
  it('M3 runs what is pending in each tenant, in order, and nothing in public', async () => {
    set.use(M2);
    await set.tenants.migrate({ only: ['acme'] });
    set.use(M2, M3);

    const result = await set.tenants.migrate();

    expect(done(result)).to.deep.equal({ acme: ['M3'], bob: ['M2', 'M3'], carl: ['M2', 'M3'] });
    expect(await schemasWith(database, 'tag', 'shape')).to.deep.equal(['acme', 'bob', 'carl']);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2', 'M3']);
    expect(await historyOf(database, 'public')).to.deep.equal(['Migration20261123063104']);
  });

  it('M3 does nothing where there is nothing to do, and says so', async () => {
    const { durationMs, ...result } = await set.tenants.migrate();

    expect(result).to.deep.equal({ total: 3, upToDate: 3, migrated: [], failed: [], gone: [], notBegun: [], unconfirmed: [], unknown: [] });
    expect(durationMs).to.be.above(0);
  });

  it('M3 sends as many statements for 200 tenants with nothing to do as for three', async () => {
    database.statements.length = 0;
    await set.tenants.migrate();
    const forThree = database.statements.length;
    await addUpToDate(200);

    database.statements.length = 0;
    const result = await set.tenants.migrate();

    expect([result.total, result.upToDate]).to.deep.equal([203, 203]);
    expect(database.statements).to.have.length(forThree).and.length.below(10);
  });

  it('M3 migrates the selected tenants and no others', async () => {
    set.use(M2);

    await set.tenants.migrate({ only: ['acme', 'bob'], skip: ['bob'] });
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme']);

    await set.tenants.migrate({ where: { name: 'carl' } });
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme', 'carl']);
  });

  it('M3 refuses names that no tenant has before anything runs', async () => {
    set.use(M2);

    for (const options of [
      { only: ['acme', 'nobody'] },
      { skip: ['nobody'] },
      { canary: ['nobody'] },
      { skip: ['bob'], canary: ['bob'] },
    ]) {
      await refusal(set.tenants.migrate(options), 'TENANT_UNKNOWN');
    }

    await refusal(set.tenants.migrate({ to: 'M9' }), 'MIGRATION_UNKNOWN');
    for (const where of [{ nope: 1 }, { name: { $nope: 1 } }, { id: 'x' }]) {
      await refusal(set.tenants.migrate({ where: where as never }), 'RUN_USAGE', JSON.stringify(where));
    }

    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal([]);
  });

  it('M3 goes up to a migration, from one, or runs the named ones alone', async () => {
    set.use(M2, M3);

    expect(done(await set.tenants.migrate({ only: ['acme'], to: 'M2' }))).to.deep.equal({ acme: ['M2'] });
    expect(done(await set.tenants.migrate({ only: ['bob'], from: 'M2' }))).to.deep.equal({ bob: ['M3'] });
    expect(done(await set.tenants.migrate({ only: ['carl'], migrations: ['M3'] }))).to.deep.equal({ carl: ['M3'] });
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2']);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme']);
  });

  it('M8 goes down by one, down to a migration, or reverts the named ones alone', async () => {
    set.use(M2, M3);
    await set.tenants.migrate();

    expect(done(await set.tenants.migrate({ direction: 'down', only: ['acme'] }))).to.deep.equal({ acme: ['M3'] });
    expect(done(await set.tenants.migrate({ direction: 'down', only: ['bob'], to: 'M1' }))).to.deep.equal({ bob: ['M3', 'M2'] });
    expect(done(await set.tenants.migrate({ direction: 'down', only: ['carl'], migrations: ['M2'] }))).to.deep.equal({ carl: ['M2'] });
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme']);
    expect(await schemasWith(database, 'tag', 'shape')).to.deep.equal(['carl']);

    await set.tenants.migrate({ direction: 'down', to: 0 });
    expect(await schemasWith(database, 'tag')).to.deep.equal([]);
    expect(await historyOf(database, 'bob')).to.deep.equal([]);
  });

  it('M4, law 9: goes on past a tenant whose SQL fails, leaves that one as it was, and names migration, statement, SQLSTATE and cause', async () => {
    set.use(M2, M3);
    await database.query('alter table bob.tag add column shape int');

    const result = await set.tenants.migrate();
    const error = errorIn(result, 'bob', MigrationError);

    expect(done(result)).to.have.keys('acme', 'carl');
    expect([error.code, error.migration, error.statement]).to.deep.equal([
      'MIGRATION_FAILED',
      'M3',
      'alter table "tag" add column "shape" text',
    ]);
    expect(error.cause).to.include({ code: '42701' });
    expect(error.message).to.contain('"M3"').and.contain('"bob"').and.contain('already exists');
    expect(await historyOf(database, 'bob')).to.deep.equal(['M1']);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme', 'carl']);

    await database.query('alter table bob.tag drop column shape');
    expect(done(await set.tenants.migrate())).to.deep.equal({ bob: ['M2', 'M3'] });
  });

  it('M4, law 9: goes on past a tenant whose migration throws, and keeps what it threw', async () => {
    const thrown = new Error('no tags here');
    set.use(
      M2,
      migrationOf('M3', async migration => {
        const [row] = await migration.execute('select current_schema() as name');

        if (row?.['name'] === 'bob') {
          throw thrown;
        }
      }),
    );

    const result = await set.tenants.migrate();

    expect(done(result)).to.have.keys('acme', 'carl');
    expect(errorIn(result, 'bob', MigrationError).migration).to.equal('M3');
    expect(errorIn(result, 'bob', MigrationError).cause).to.equal(thrown);
    expect(await historyOf(database, 'bob')).to.deep.equal(['M1']);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme', 'carl']);
  });

  it('M4 counts every tenant once, whatever became of it', async () => {
    set.use(M2);
    await set.create('done');
    await database.query('alter table bob.tag add column colour int');
    await database.query('drop schema carl cascade');
    await database.query(`insert into done.mikro_orm_migrations (name) values ('M7')`);
    const plans: RunPlan[] = [];
    const progress: TenantRunResult[] = [];

    const result = await set.tenants.migrate({ onPlan: plan => plans.push(plan), onProgress: each => progress.push(each) });

    expect(plans).to.deep.equal([{ total: 4, upToDate: 1, work: 2 }]);
    expect(progress.map(({ schemaName, ok }) => [schemaName, ok])).to.have.deep.members([
      ['acme', true],
      ['bob', false],
      ['carl', false],
    ]);
    expect([result.total, result.upToDate, result.notBegun]).to.deep.equal([4, 1, []]);
    expect(done(result)).to.deep.equal({ acme: ['M2'] });
    expect(result.failed.map(({ schemaName }) => schemaName)).to.deep.equal(['bob', 'carl']);
    expect(result.failed[1]?.error).to.be.instanceOf(SchemaMissingError);
    expect(result.unknown).to.deep.equal([{ schemaName: 'done', migrations: ['M7'] }]);
    expect(result.migrated[0]?.durationMs).to.be.above(0);
  });

  it('M8 refuses to go down in a tenant whose history ends with a migration that the set does not have', async () => {
    await database.query(`insert into bob.mikro_orm_migrations (name) values ('M7')`);

    const result = await set.tenants.migrate({ direction: 'down', to: 0 });

    expect(errorIn(result, 'bob', MigrationError).code).to.equal('MIGRATION_UNKNOWN');
    expect(await schemasWith(database, 'tag')).to.deep.equal(['bob']);
    expect(await historyOf(database, 'bob')).to.deep.equal(['M1', 'M7']);
  });

  it('M3 refuses to run in a transaction of the caller, which each tenant would have to share', async () => {
    set.use(M2);

    const error = await set.orm.em.fork().transactional(() => refusal(set.tenants.migrate()));

    expect(error.code).to.equal('RUN_IN_TRANSACTION');
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal([]);
  });

  it('M3 has no more tenants at once than it may', async () => {
    const limit = database.kind === 'pglite' ? 1 : 3;
    await set.create('dora', 'emil', 'fay', 'gus');
    let [now, peak] = [0, 0];
    set.use(
      migrationOf('M2', async migration => {
        await migration.execute('select 1');
        now += 1;
        peak = Math.max(peak, now);
        await until('as many at once as may be', () => peak >= limit);
        now -= 1;
      }),
    );

    const result = await set.tenants.migrate({ concurrency: 3 });

    expect(result.migrated, String(result.failed[0]?.error)).to.have.length(7);
    expect(peak).to.equal(limit);
  });

  /** Tenants with the same history as the others. */
  async function addUpToDate(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      await database.query(`create schema t${n}`);
      await database.query(`comment on schema t${n} is 'tenant of @landlord/mikro-orm'`);
      await database.query(`create table t${n}.mikro_orm_migrations as table acme.mikro_orm_migrations`);
    }

    await database.query(
      `insert into public.library (name, domain_url, schema_name) select 't' || n, 't' || n || '.example.com', 't' || n from generate_series(0, ${count - 1}) n`,
    );
  }
});

function done({ migrated }: RunResult): Record<string, readonly string[]> {
  return Object.fromEntries(migrated.map(({ schemaName, migrations }) => [schemaName, migrations]));
}
