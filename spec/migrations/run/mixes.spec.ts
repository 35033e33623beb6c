import { tenants, type RunResult, type TenantEntityManager } from '@landlord/mikro-orm';
import type { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { Genre, Tag } from '../../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { failureOf } from '../../support/assertions/failure.ts';

const queues = sqlMigration('M2', [
  `insert into "tag" ("name") values ('queued') -- as SQL`,
  `alter table "tag" add column "colour" text;`,
]);

const reads = migrationOf('M3', async migration => {
  const rows = await migration.execute('select name, current_schema() as schema from tag order by id');
  migration.addSql(`insert into "tag" ("name") values ('read ${rows.map(({ name, schema }) => `${name} in ${schema}`).join(', ')}')`);
});

const usesOrm = migrationOf('M4', async migration => {
  const em = emOf(migration);
  const found = await em.find(Tag, {}, { orderBy: { id: 1 } });
  em.persist(em.create(Tag, { name: `found ${found.length}, ${found[0]?.name}` }));
  await em.flush();
});

const nests = migrationOf('M5', async migration => {
  await emOf(migration).transactional(async em => {
    em.persist(em.create(Tag, { name: 'nested' }));
  });
});

onDatabasesAndPooler('what migrations do in a run', database => {
  let set: TenantSet;
  let settingsBefore: unknown;

  before(async () => {
    // one connection, so that the next user gets the same one
    set = await openTenantSet(database, database.kind === 'pglite' ? {} : { pool: { max: 1 } });
    settingsBefore = await settings();
  });

  beforeEach(() => set.create('acme', 'bob'));
  afterEach(() => set.clear());
  for (const sql of [
    'set search_path to public',
    'SET ROLE nobody',
    'commit',
    '  begin; select 1',
    'rollback',
    'select 1; commit; select 2',
    '/* a note; */ commit',
    '-- a note\nend',
    "prepare transaction 'x'",
    'create temp table if not exists "passing" ("id" int)',
    'select 1 as "id" into temporary "passing"',
    'create or replace temp view "passing" as select * from "tag"',
    'create temp sequence "passing"',
    'create table if not exists pg_temp.passing ("id" int)',
    'create unlogged table "pg_temp" . "passing" ("id" int)',
    'create or replace function pg_temp.passing() returns int language sql as $$ select 7 $$',
    "create type pg_temp.passing as enum ('a')",
    'select * into pg_temp.passing from "tag"',
    "select set_config('session_replication_role', 'replica', false)",
    "select set_config('landlord.a', 'a', true), pg_catalog.set_config('statement_timeout', '7', FALSE )",
    'prepare "one" as select 1',
    'deallocate all',
    'declare "rows" cursor with hold for select 1',
    'select pg_advisory_lock(7); create table "half" ("id" int)',
    'select "pg_advisory_lock"(7)',
    'create function "half"() returns int begin atomic select 7; end; set search_path to public',
    'create or replace procedure pg_temp.half() begin atomic select 7; end',
    'prepare transaction_of as select begin atomic',
    'do $$ begin end $$; select 1 from "tag" where pg_catalog.pg_try_advisory_lock_shared (7, 7)',
  ]) {
    it(`N3 refuses ${JSON.stringify(sql.trim())}, which would outlive the migration or end its transaction`, async () => {
      set.use(sqlMigration('M2', ['create table "half" ("id" int)', sql]));

      const { failed } = await set.tenants.migrate();

      expect(failed.map(({ error }) => (error as { code?: string }).code)).to.deep.equal([
        'MIGRATION_SESSION_STATE',
        'MIGRATION_SESSION_STATE',
      ]);
      expect(await schemasWith(database, 'half')).to.deep.equal([]);
      expect(await settings()).to.deep.equal(settingsBefore);
    });
  }

  it('N3 refuses the same from what a migration runs itself', async () => {
    set.use(migrationOf('M2', migration => migration.execute('select 1; set search_path to public').then(() => undefined)));

    const { failed } = await set.tenants.migrate();

    expect(failed.map(({ error }) => (error as { code?: string }).code)).to.deep.equal([
      'MIGRATION_SESSION_STATE',
      'MIGRATION_SESSION_STATE',
    ]);
  });

  it('N3 runs what only reads like it: strings, comments, names, function bodies, and temporary tables that end with the transaction', async () => {
    set.use(
      sqlMigration('M2', [
        `insert into "tag" ("name") values ('a; commit; b') -- ; rollback`,
        `insert into "tag" ("name") values (E'it\\'s; commit')`,
        'do $$ begin perform 1; end $$',
        `create function "seven"() returns int language plpgsql as $body$ begin return 7; end; $body$`,
        `create function "eight"() returns int begin atomic select case when true then 8 end; select 8; end`,
        `select "eight"()`,
        'create temp table "passing" on commit drop as select * from "tag"',
        'create index on pg_temp.passing ("id")',
        'insert into pg_temp.passing select * from "tag"',
        'create table "copied" as select * from pg_temp.passing',
        'create table pg_temp.further ("id" int) on commit drop',
        `select set_config('statement_timeout', '7000', true)`,
        'select pg_advisory_xact_lock(7), pg_try_advisory_xact_lock_shared(7)',
        `create function "nine"() returns text language sql as $$ select set_config('statement_timeout', '9000', false) $$`,
        'alter table "tag" add column "commit" int',
        'alter table "tag" add column "end" int',
      ]),
    );

    const { failed, migrated } = await set.tenants.migrate();

    expect(errorsOf({ failed } as RunResult)).to.deep.equal([]);
    expect(migrated).to.have.length(2);
  });

  it('N3 puts the session’s path back after the first line of a dump', async () => {
    set.use(sqlMigration('M2', [`select pg_catalog.set_config('search_path', '', false)`]));
    expect((await set.tenants.migrate()).failed).to.deep.equal([]);
    expect(await settings()).to.deep.equal(settingsBefore);

    set.use(migrationOf('M3', migration => migration.execute(`select set_config('search_path', 'bob', false)`).then(() => undefined)));
    expect((await set.tenants.migrate()).failed).to.deep.equal([]);
    expect(await settings()).to.deep.equal(settingsBefore);
  });

  for (const [way, migration] of [
    ['the first line of a dump', sqlMigration('M2', [`select pg_catalog.set_config('search_path', '', false)`])],
    ['a block', sqlMigration('M2', ['do $$ begin set search_path to bob; end $$'])],
    [
      'what it runs itself',
      migrationOf('M2', each => each.execute(`select set_config('search_path', 'bob', false)`).then(() => undefined)),
    ],
  ] as const) {
    it(`N3 the creation of a tenant puts the session’s path back after ${way}`, async () => {
      set.use(migration);
      await set.create('newbie');

      expect(await settings()).to.deep.equal(settingsBefore);
    });
  }

  const MIXES = {
    'that queue and read': [queues, reads],
    'that queue and use the ORM': [queues, usesOrm],
    'that use the ORM first': [usesOrm, queues],
    'of all kinds': [queues, reads, usesOrm, nests, sqlMigration('M6', `insert into "tag" ("name") values ('last')`)],
  };

  for (const [title, mix] of Object.entries(MIXES)) {
    it(`M11 migrations ${title} see what came before them, in their own tenant, in a run and in a creation`, async () => {
      set.use(...mix);

      const result = await set.tenants.migrate();
      await set.create('newbie');

      expect(errorsOf(result)).to.deep.equal([]);
      const acme = await tagsOf('acme');
      expect(acme).to.have.length(mix.length);
      expect(await tagsOf('bob')).to.deep.equal(acme.map(name => name.replaceAll('in acme', 'in bob')));
      expect(await tagsOf('newbie')).to.deep.equal(acme.map(name => name.replaceAll('in acme', 'in newbie')));
      expect(await historyOf(database, 'newbie')).to.deep.equal(['M1', ...mix.map(({ name }) => name)]);
      expect(await schemasWith(database, 'tag')).to.deep.equal(['acme', 'bob', 'newbie']);
      await expectClean();
    });
  }

  it('M11 a data migration reads and writes its own tenant and what is shared, and is in its tenant’s scope', async () => {
    await database.query(`insert into acme.tag (name) values ('of acme')`);
    await database.query(`insert into public.genre (name) values ('crime')`);
    const seen: unknown[] = [];
    set.use(
      migrationOf('M2', async migration => {
        const em = emOf(migration);
        seen.push([(await em.find(Tag, {})).map(({ name }) => name), await em.count(Genre)]);
      }),
    );

    expect(errorsOf(await set.tenants.migrate())).to.deep.equal([]);
    expect(seen).to.deep.equal([
      [['of acme'], 1],
      [[], 1],
    ]);
    await database.query('delete from public.genre');
  });

  it('M11 a data migration that asks for another tenant is refused, and its tenant is left as it was', async () => {
    set.use(
      queues,
      migrationOf('M3', async migration => void (await emOf(migration).find(Tag, {}, { schema: 'bob' }))),
    );

    const { failed } = await set.tenants.migrate({ only: ['acme'] });

    expect(String((failed[0]?.error as Error | undefined)?.cause)).to.contain('CrossTenantError');
    expect(await tagsOf('acme')).to.deep.equal([]);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1']);
    await expectClean();
  });

  it('M11 what the ORM wrote is rolled back with the tenant, when a later migration fails', async () => {
    set.use(queues, usesOrm, nests, sqlMigration('M6', `select 1 / (select count(*) from "tag" where "name" = 'of bob')`));
    await database.query(`insert into bob.tag (name) values ('of bob')`);

    const result = await set.tenants.migrate();

    expect(result.migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['bob']);
    expect(result.failed[0]?.error).to.include({ migration: 'M6' });
    expect(await tagsOf('acme')).to.deep.equal([]);
    expect(await tagsOf('bob')).to.deep.equal(['of bob', 'queued', 'found 2, of bob', 'nested']);
    await expectClean();
  });

  it('M11 a creation that fails in a data migration leaves nothing, and the connection clean', async () => {
    set.use(queues, usesOrm, sqlMigration('M6', 'select 1 / 0'));

    expect(String(await failureOf(set.create('newbie')))).to.contain('"M6"');

    expect(await schemasWith(database, 'tag')).to.deep.equal(['acme', 'bob']);
    expect(await database.query(`select 1 from public.library where schema_name = 'newbie'`)).to.deep.equal([]);
    await expectClean();
  });

  it('M10 a preview shows what is queued, says where it cannot know, and changes nothing', async () => {
    set.use(queues, reads);

    const preview = await tenants(set.orm).preview({ only: ['acme'] });

    expect(preview.map(({ schemaNames, migrations }) => [schemaNames, migrations])).to.deep.equal([[['acme'], ['M2', 'M3']]]);
    expect(preview[0]?.sql.join('\n')).to.contain(`values ('queued')`).and.contain('from here the migration reads');
    expect(await tagsOf('acme')).to.deep.equal([]);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1']);
  });

  async function tagsOf(schemaName: string): Promise<string[]> {
    return (await database.query<{ name: string }>(`select name from ${schemaName}.tag order by id`)).map(({ name }) => name);
  }

  /** The only connection is in its initial state. */
  async function expectClean(): Promise<void> {
    expect(await settings()).to.deep.equal(settingsBefore);
  }

  function settings(): Promise<unknown> {
    return set.orm.em
      .getConnection()
      .execute(`select current_setting('search_path') as path, current_setting('lock_timeout') as lock, current_schema() as schema`);
  }
});

function emOf(migration: Migration): TenantEntityManager {
  return migration.getEntityManager() as unknown as TenantEntityManager;
}

function errorsOf({ failed }: RunResult): string[] {
  return failed.map(({ error }) => String(error));
}
