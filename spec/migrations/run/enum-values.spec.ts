import { expect } from 'chai';
import { migrationOf, openTenantSet, sqlMigration, type MigrationEntry, type TenantSet } from '../../support/orm/tenant-set.ts';
import { onDatabases, type SpecDatabase } from '../../support/databases/database.ts';
import { historyOf } from '../../support/databases/catalog.ts';
import { newLibrary } from '../../support/orm/library-orm.ts';
import { refusal } from '../../support/assertions/refusal.ts';

const CREATE = sqlMigration('M2', [
  `create type "lamp_state" as enum ('off', 'on')`,
  'create table lamp (id serial primary key, state lamp_state)',
]);
const ADD = sqlMigration('M3', [`alter type "lamp_state" add value 'broken' before 'on'`, `alter type lamp_state add value 'dim';`]);
const USES: readonly MigrationEntry[] = [
  sqlMigration('M4', `alter table lamp alter column state set default 'broken'`),
  sqlMigration('M5', `insert into lamp default values`),
  sqlMigration('M6', `alter table lamp add constraint lamp_check check (state <> 'dim')`),
  sqlMigration('M7', `create index lamp_index on lamp (id) where state = 'broken'`),
  sqlMigration('M8', `create view lamps as select * from lamp where state > 'broken'`),
  migrationOf('M9', async migration => {
    await migration.execute(`update lamp set state = 'dim' where false`);
  }),
];
const NAMES = ['M1', 'M2', 'M3', ...USES.map(({ name }) => name)];

onDatabases('values that are added to enums', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  afterEach(() => set.clear());

  it('C2 a new tenant gets what a migrated one has, of values that are added in one migration and used in later ones', async () => {
    set.use(CREATE, ADD);
    await set.create('acme');
    set.use(CREATE, ADD, ...USES);
    expect((await set.tenants.migrate()).failed).to.deep.equal([]);

    await set.create('bob');
    // in a savepoint
    await set.orm.em.fork().transactional(async tx => {
      await tx.transactional(inner => inner.persistAndFlush(newLibrary('carl')));
    });

    for (const name of ['acme', 'bob', 'carl']) {
      expect(await lampsOf(database, name), name).to.deep.equal(['off,broken,on,dim', 'broken']);
      expect(await historyOf(database, name)).to.deep.equal(NAMES);
    }
  });

  it('C2 a tenant that lacks both the migration that adds a value and those that use it gets them in one run', async () => {
    set.use(CREATE);
    await set.create('acme', 'bob');
    set.use(CREATE, ADD, ...USES);

    expect((await set.tenants.migrate({ only: ['acme'] })).failed).to.deep.equal([]);
    expect(await lampsOf(database, 'acme')).to.deep.equal(['off,broken,on,dim', 'broken']);
    expect(await historyOf(database, 'acme')).to.deep.equal(NAMES);
    expect(await historyOf(database, 'bob')).to.deep.equal(['M1', 'M2']);
  });

  it('C2 a failure after the values were added names the migrations that remain', async () => {
    set.use(CREATE);
    await set.create('acme');
    set.use(CREATE, ADD, ...USES, sqlMigration('N1', 'select 1 / 0'));
    const { failed } = await set.tenants.migrate();

    expect(failed[0]?.error).to.include({ code: 'MIGRATION_FAILED', migration: 'N1' });
    expect(failed[0]?.error).to.have.deep.property('done', NAMES.slice(2));
    expect(await historyOf(database, 'acme')).to.deep.equal(NAMES);
  });

  it('C2 enums that are renamed, dropped, made anew or shared between names keep their values in order', async () => {
    const changes = [
      sqlMigration('A', [`create type "OddKind" as enum ('it''s', 'b')`, `create type Kind as enum ()`]),
      sqlMigration('B', [`alter type "OddKind" add value if not exists 'b'`, `alter type kind add value 'one'`]),
      sqlMigration('C', [`alter type KIND rename value 'one' to 'first'`, `alter type kind add value 'zero' before 'first'`]),
      sqlMigration('D', [
        `select 1 /* alter type kind add value 'never' */ -- create type kind as enum ('none')`,
        `alter type kind add value 'third' after 'first'`,
        `alter type "OddKind" add value 'c' after 'it''s'`,
      ]),
      sqlMigration('E', [`alter type kind rename to sort`, `alter type sort add value 'fourth'`, `drop type if exists "OddKind"`]),
      sqlMigration('F', [`create type "OddKind" as enum ('new')`, `alter type "OddKind" add value 'newer'`]),
      sqlMigration('G', [
        `create table kinds (sort sort default 'fourth', odd "OddKind" default 'newer')`,
        'insert into kinds default values',
      ]),
    ];
    set.use();
    await set.create('acme');

    for (const [index] of changes.entries()) {
      set.use(...changes.slice(0, index + 1));
      expect((await set.tenants.migrate()).failed).to.deep.equal([]);
    }

    await set.create('bob');
    const expected = ['OddKind: new,newer', 'sort: zero,first,third,fourth'];
    expect(await enumsOf(database, 'acme')).to.deep.equal(expected);
    expect(await enumsOf(database, 'bob')).to.deep.equal(expected);
  });

  it('C2 a migration that uses a value that it adds itself fails with what to do, and leaves the tenant as it was', async () => {
    set.use(CREATE);
    await set.create('acme');
    set.use(CREATE, sqlMigration('M3', [`alter type lamp_state add value 'dim'`, `alter table lamp alter column state set default 'dim'`]));
    const { failed } = await set.tenants.migrate();

    expect(String(failed[0]?.error)).to.contain('Add the value in one migration, and use it in a later one');
    expect(await enumsOf(database, 'acme')).to.deep.equal(['lamp_state: off,on']);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2']);
  });

  it('C2 what no tenant could run fails for a new one too, as it is', async () => {
    set.use(CREATE, ADD, sqlMigration('M4', `alter type lamp_state add value 'dim'`));
    const error = await refusal(set.create('acme'), 'TENANT_NOT_PROVISIONED');

    expect(error.message).to.contain('"M4"').and.contain('already exists');
  });
});

async function lampsOf(database: SpecDatabase, schemaName: string): Promise<unknown[]> {
  const [values] = await database.query(`select enum_range(null::"${schemaName}".lamp_state)::text as values`);
  const [lamp] = await database.query(`select state::text from "${schemaName}".lamp`);

  return [values?.['values'].replace(/[{}]/g, ''), lamp?.['state']];
}

async function enumsOf(database: SpecDatabase, schemaName: string): Promise<string[]> {
  const rows = await database.query<{ text: string }>(
    `select t.typname || ': ' || string_agg(e.enumlabel, ',' order by e.enumsortorder) as text from pg_type t join pg_enum e on e.enumtypid = t.oid
      where t.typnamespace = '${schemaName}'::regnamespace group by t.typname order by 1`,
  );

  return rows.map(({ text }) => text);
}
