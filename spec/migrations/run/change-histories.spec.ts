import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';

const COLOUR = sqlMigration(
  'Migration20260101000000_colour',
  'alter table tag add column colour text',
  'alter table tag drop column colour',
);
const SHAPE = sqlMigration('Migration20260102000000_shape', 'alter table tag add column shape text', 'alter table tag drop column shape');
const COLOR = { ...COLOUR, name: 'Migration20260101000000_color' };
const NAMES = ['acme', 'bob', 'carl'];

onDatabases('changing the histories of tenants', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  beforeEach(async () => {
    set.use(COLOUR);
    await set.create(...NAMES);
  });

  afterEach(() => set.clear());

  it('M18, M28 records a migration in each selected tenant and removes it, and runs and reverts nothing', async () => {
    set.use(COLOUR, SHAPE);
    const logged = await set.tenants.logMigration(SHAPE.name, { skip: ['carl'] });
    const again = await set.tenants.logMigration(SHAPE.name, { skip: ['carl'] });

    expect(logged.migrated.map(({ schemaName, migrations }) => [schemaName, migrations])).to.deep.equal([
      ['acme', [SHAPE.name]],
      ['bob', [SHAPE.name]],
    ]);
    expect([again.migrated, again.upToDate]).to.deep.equal([[], 2]);
    expect(await histories()).to.deep.equal([
      ['M1', COLOUR.name, SHAPE.name],
      ['M1', COLOUR.name, SHAPE.name],
      ['M1', COLOUR.name],
    ]);
    expect(await schemasWith(database, 'tag', 'shape')).to.deep.equal([]);

    await set.tenants.unlogMigration(SHAPE.name, { only: ['acme'] });
    await set.tenants.unlogMigration(COLOUR.name, { only: ['acme'] });
    expect(await histories()).to.deep.equal([['M1'], ['M1', COLOUR.name, SHAPE.name], ['M1', COLOUR.name]]);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(NAMES);
  });

  it('M18, M28 two at once change each tenant once, and nothing is lost to a run at the same time', async () => {
    set.use(COLOUR, SHAPE);
    const results = await Promise.all([
      set.tenants.logMigration(SHAPE.name),
      set.tenants.logMigration(SHAPE.name),
      set.tenants.migrate({ migrations: [COLOUR.name] }),
    ]);

    expect(results.flatMap(({ failed }) => failed)).to.deep.equal([]);
    expect(
      results
        .flatMap(({ migrated }) => migrated)
        .map(({ schemaName }) => schemaName)
        .toSorted(),
    ).to.deep.equal(NAMES);
    expect(await histories()).to.deep.equal(NAMES.map(() => ['M1', COLOUR.name, SHAPE.name]));
  });

  it('M18, M28 a renamed migration keeps its place and date in each history, and the next run has nothing to do', async () => {
    const before = await set.tenants.histories();
    set.use(COLOR, SHAPE);
    await set.tenants.migrate({ migrations: [SHAPE.name] });
    const renamed = await set.tenants.renameMigration(COLOUR.name, COLOR.name);

    expect(renamed.migrated.map(({ schemaName }) => schemaName)).to.deep.equal(NAMES);
    expect(await histories()).to.deep.equal(NAMES.map(() => ['M1', COLOR.name, SHAPE.name]));
    expect((await set.tenants.histories()).map(({ executed }) => executed[1]?.executedAt)).to.deep.equal(
      before.map(({ executed }) => executed[1]?.executedAt),
    );
    expect((await set.tenants.migrate()).upToDate).to.equal(3);
  });

  it('M18, M28 refuses names that cannot be meant, before anything is changed', async () => {
    set.use(COLOUR, COLOR, SHAPE);
    await refusal(() => set.tenants.logMigration('Migration1'), 'MIGRATION_UNKNOWN');
    await refusal(() => set.tenants.unlogMigration('Migration1'), 'MIGRATION_UNKNOWN');
    await refusal(() => set.tenants.renameMigration('Migration1', 'Migration2'), 'MIGRATION_UNKNOWN');
    await refusal(() => set.tenants.renameMigration(COLOUR.name, COLOR.name), 'RUN_USAGE');
    await refusal(() => set.tenants.logMigration(SHAPE.name, { only: ['nobody'] }), 'TENANT_UNKNOWN');
    expect(await histories()).to.deep.equal(NAMES.map(() => ['M1', COLOUR.name]));

    // one of a file that was deleted is in a history, and can be removed
    set.use();
    expect((await set.tenants.unlogMigration(COLOUR.name)).migrated).to.have.length(3);
  });

  it('M18, M28 a tenant that has both names and one without a schema are reported, and the others changed', async () => {
    await database.query(`insert into acme.mikro_orm_migrations (name) values ('${COLOR.name}')`);
    await database.query('drop schema bob cascade');
    set.use(COLOR);
    const { failed, migrated } = await set.tenants.renameMigration(COLOUR.name, COLOR.name);

    expect(failed.map(({ schemaName, error }) => [schemaName, (error as { code?: string }).code])).to.deep.equal([
      ['acme', 'MIGRATION_RENAMED'],
      ['bob', 'SCHEMA_MISSING'],
    ]);
    expect(migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['carl']);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', COLOUR.name, COLOR.name]);
  });

  it('M18, M28 a history that is lost is written anew by recording what has run', async () => {
    await database.query('drop table acme.mikro_orm_migrations');
    await set.tenants.logMigration('M1', { only: ['acme'] });
    await set.tenants.logMigration(COLOUR.name, { only: ['acme'] });

    expect(await histories()).to.deep.equal(NAMES.map(() => ['M1', COLOUR.name]));
    expect((await set.tenants.migrate()).upToDate).to.equal(3);
  });

  async function histories(): Promise<unknown[]> {
    return Promise.all(NAMES.map(name => historyOf(database, name)));
  }
});
