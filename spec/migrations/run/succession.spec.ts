import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { migrationOf, openTenantSet, sqlMigration, type MigrationEntry, type TenantSet } from '../../support/orm/tenant-set.ts';

const COLOUR = sqlMigration(
  'Migration20260101000000_colour',
  'alter table tag add column colour text',
  'alter table tag drop column colour',
);
const SHAPE = sqlMigration('Migration20260102000000_shape', 'alter table tag add column shape text', 'alter table tag drop column shape');
const LATER = sqlMigration('Migration20260105000000_size', 'alter table tag add column size text', 'alter table tag drop column size');
const BOTH = standingFor(
  migrationOf(
    'Migration20260103000000_both',
    migration => {
      migration.addSql('alter table tag add column colour text');
      migration.addSql('alter table tag add column shape text');
    },
    // what is only recorded needs no connection of its own
    { transactional: false },
  ),
  [COLOUR.name, `${SHAPE.name}.ts`],
);

onDatabases('a tenant set over the years', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  afterEach(() => set.clear());

  it('M18, M26 a migration that stands for others is recorded in their place, and not run, in each tenant that has them', async () => {
    set.use(COLOUR, SHAPE);
    await set.create('acme', 'bob');
    set.use(BOTH, LATER);
    await set.create('carl');
    const [preview] = await set.tenants.preview();
    const result = await set.tenants.migrate();

    expect(preview?.schemaNames).to.deep.equal(['acme', 'bob']);
    expect(preview?.sql.join('\n')).to.contain(`set name = '${BOTH.name}'`).and.not.contain('add column colour');
    expect(result.failed).to.deep.equal([]);
    expect(result.unknown).to.deep.equal([]);
    expect(result.migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob']);

    for (const schemaName of ['acme', 'bob', 'carl']) {
      expect(await historyOf(database, schemaName)).to.deep.equal(['M1', BOTH.name, LATER.name]);
    }

    expect((await set.tenants.migrate()).upToDate).to.equal(3);
  });

  it('M18, M26 a tenant that has some of them alone is refused, with those that it lacks, and the others are not', async () => {
    set.use(COLOUR);
    await set.create('acme');
    set.use(COLOUR, SHAPE);
    await set.create('bob');
    set.use(BOTH);
    const status = await set.tenants.status();
    const { failed, migrated } = await set.tenants.migrate();

    expect(status.tenants.map(({ error }) => error?.code)).to.deep.equal(['MIGRATION_ROLLED_UP', undefined]);
    expect(failed.map(({ schemaName, error }) => [schemaName, (error as { code?: string }).code])).to.deep.equal([
      ['acme', 'MIGRATION_ROLLED_UP'],
    ]);
    expect(String(failed[0]?.error)).to.contain(`lacks "${SHAPE.name}"`);
    expect(migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['bob']);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', COLOUR.name]);
    expect(await schemasWith(database, 'tag', 'shape')).to.deep.equal(['bob']);
  });

  for (const [title, name] of [
    ['name', 'Migration20260101000000_color'],
    ['date', 'Migration20260201000000_colour'],
  ] as const) {
    it(`M18, M26 a file that has a new ${title} is not run again where its former name is in the history`, async () => {
      set.use(COLOUR);
      await set.create('acme');
      set.use({ ...COLOUR, name });
      const { failed } = await set.tenants.migrate();

      expect(failed.map(({ error }) => (error as { code?: string }).code)).to.deep.equal(['MIGRATION_RENAMED']);
      expect(String(failed[0]?.error)).to.contain(`--from ${COLOUR.name} --to ${name}`);
      expect((await set.tenants.status()).tenants.map(({ error }) => error?.code)).to.deep.equal(['MIGRATION_RENAMED']);
      expect(await historyOf(database, 'acme')).to.deep.equal(['M1', COLOUR.name]);
    });
  }

  it('M8 down reverts the same in every tenant, though a migration with an earlier date came late in some', async () => {
    set.use(COLOUR, LATER);
    await set.create('acme');
    set.use(COLOUR, SHAPE, LATER);
    await set.create('bob');
    await set.tenants.migrate();
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', COLOUR.name, LATER.name, SHAPE.name]);
    await set.tenants.migrate({ direction: 'down' });

    for (const schemaName of ['acme', 'bob']) {
      expect(await historyOf(database, schemaName)).to.deep.equal(['M1', COLOUR.name, SHAPE.name]);
    }

    await set.tenants.migrate({ direction: 'down', to: COLOUR.name });
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme', 'bob']);
    expect(await schemasWith(database, 'tag', 'shape')).to.deep.equal([]);
  });

  it('M18, M27 an older release leaves a tenant alone that a newer one has made, and does not call it broken', async () => {
    set.use(COLOUR, LATER);
    await set.create('acme');
    set.use(COLOUR);
    await set.create('bob');
    const { tenants } = await set.tenants.status();
    const result = await set.tenants.migrate();

    expect(tenants.map(({ schemaName, pending, unknown, error }) => ({ schemaName, pending, unknown, error }))).to.deep.equal([
      { schemaName: 'acme', pending: [], unknown: [LATER.name], error: undefined },
      { schemaName: 'bob', pending: [], unknown: [], error: undefined },
    ]);
    expect([result.failed, result.migrated, result.upToDate]).to.deep.equal([[], [], 2]);
    expect(result.unknown).to.deep.equal([{ schemaName: 'acme', migrations: [LATER.name] }]);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', COLOUR.name, LATER.name]);

    // what it would have to revert first, it does not have
    const down = await set.tenants.migrate({ direction: 'down' });
    expect(down.failed.map(({ schemaName }) => schemaName)).to.deep.equal(['acme']);
    expect(down.migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['bob']);
  });
});

function standingFor(entry: MigrationEntry, replaces: readonly string[]): MigrationEntry {
  return { ...entry, class: Object.assign(entry.class, { replaces }) };
}
