import { MigrationError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationOf, openTenantSet, sqlMigration, type MigrationEntry, type TenantSet } from '../../support/orm/tenant-set.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { until } from '../../support/assertions/until.ts';
import { failureOf } from '../../support/assertions/failure.ts';

const COLOUR = sqlMigration('M2', 'alter table "tag" add column "colour" text', 'alter table "tag" drop column "colour"');
const INDEX = outside(
  'M3',
  'create index concurrently "tag_colour_index" on "tag" ("colour")',
  'drop index concurrently "tag_colour_index"',
);
const SHAPE = sqlMigration('M4', 'alter table "tag" add column "shape" text', 'alter table "tag" drop column "shape"');

onDatabases('migrations outside a transaction', database => {
  let set: TenantSet;

  before(async () => {
    // one connection, so that the next user gets the same one
    set = await openTenantSet(database, database.kind === 'pglite' ? {} : { pool: { max: 1 } });
  });

  beforeEach(() => set.create('acme', 'bob'));
  afterEach(() => set.clear());
  it('M3 an index is created concurrently in each tenant, is recorded, and leaves the connection clean', async () => {
    const defaults = await settings();
    set.use(COLOUR, INDEX);

    const result = await set.tenants.migrate({ lockTimeoutMs: 1234, statementTimeoutMs: 12_345 });

    expect(result.failed).to.deep.equal([]);
    expect(await indexes()).to.deep.equal(['acme.tag_colour_index', 'bob.tag_colour_index']);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2', 'M3']);
    expect(await settings()).to.deep.equal(defaults);
    expect(await heldLocks()).to.equal(0);
  });

  it('M3 it runs in its place between others, and is reverted in its place', async () => {
    set.use(COLOUR, INDEX, SHAPE);

    const up = await set.tenants.migrate();
    expect(up.migrated.map(({ migrations }) => migrations)).to.deep.equal([
      ['M2', 'M3', 'M4'],
      ['M2', 'M3', 'M4'],
    ]);
    expect(await historyOf(database, 'bob')).to.deep.equal(['M1', 'M2', 'M3', 'M4']);

    const down = await set.tenants.migrate({ direction: 'down', to: 'M1', only: ['acme'] });
    expect(down.migrated.map(({ migrations }) => migrations)).to.deep.equal([['M4', 'M3', 'M2']]);
    expect(await indexes()).to.deep.equal(['bob.tag_colour_index']);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1']);
  });

  it('M8 down by one reverts it, and no other', async () => {
    set.use(COLOUR, INDEX);
    await set.tenants.migrate();

    await set.tenants.migrate({ direction: 'down' });

    expect(await indexes()).to.deep.equal([]);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2']);
  });

  it('M4 a failure stands alone, names the invalid index it left, and is not recorded', async () => {
    const defaults = await settings();
    await database.query(`alter table acme.tag add column colour text`);
    await database.query(`alter table bob.tag add column colour text`);
    await database.query(`insert into bob.tag (name, colour) values ('a', 'red'), ('b', 'red')`);
    set.use(outside('M3', 'create unique index concurrently "tag_colour_unique" on "tag" ("colour")'), SHAPE);

    const result = await set.tenants.migrate();
    const error = result.failed[0]?.error as MigrationError;

    expect(result.migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['acme']);
    expect(error, String(error)).to.be.instanceOf(MigrationError);
    expect(error).to.include({ code: 'MIGRATION_FAILED', migration: 'M3', isRolledBack: false });
    expect(error.statement).to.contain('"tag_colour_unique"');
    expect(error.cause).to.include({ code: '23505' });
    expect(error.message).to.contain('"bob"').and.contain('outside a transaction').and.contain('invalid index "tag_colour_unique"');
    expect(await historyOf(database, 'bob')).to.deep.equal(['M1']);
    expect(await schemasWith(database, 'tag', 'shape')).to.deep.equal(['acme']);
    expect(await settings()).to.deep.equal(defaults);
    expect(await heldLocks()).to.equal(0);

    await database.query('drop index bob.tag_colour_unique');
    await database.query(`delete from bob.tag`);
    expect((await set.tenants.migrate()).migrated.map(({ migrations }) => migrations)).to.deep.equal([['M3', 'M4']]);
  });

  it('M4 what came before it in the run stands, when it fails', async () => {
    set.use(COLOUR, outside('M3', 'create index concurrently "x" on "no_such_table" ("id")'), SHAPE);

    const result = await set.tenants.migrate();

    expect(result.failed).to.have.length(2);
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2']);
    expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme', 'bob']);
    expect(await schemasWith(database, 'tag', 'shape')).to.deep.equal([]);
  });

  it('M4 a failure after it says what stands of the same run', async () => {
    set.use(COLOUR, outside('M3', 'create table "shelf" ("id" int)'), sqlMigration('M4', 'select 1 / 0'));

    const error = (await set.tenants.migrate({ only: ['acme'] })).failed[0]?.error as MigrationError;

    expect(error).to.deep.include({ code: 'MIGRATION_FAILED', migration: 'M4', done: ['M2', 'M3'] });
    expect(error.message).to.contain('remain applied: "M2", "M3"').and.not.contain('left as it was');
    expect(await historyOf(database, 'acme')).to.deep.equal(['M1', 'M2', 'M3']);

    const again = (await set.tenants.migrate({ only: ['acme'] })).failed[0]?.error as MigrationError;
    expect(again.done).to.deep.equal([]);
    expect(again.message).to.contain('left as it was before the run');
  });

  it('M3 it is the first one of a tenant that has no history yet', async () => {
    await database.query('drop table acme.mikro_orm_migrations');
    await database.query('drop table acme.tag');
    set.use(INDEX);

    const result = await set.tenants.migrate({ migrations: ['M3'], only: ['acme'] });
    expect(String(result.failed[0]?.error)).to.contain('does not exist');
    expect(await historyOf(database, 'acme')).to.deep.equal([]);

    set.use(outside('M3', 'create table "shelf" ("id" int)'));
    await set.tenants.migrate({ migrations: ['M3'], only: ['acme'] });
    expect(await historyOf(database, 'acme')).to.deep.equal(['M3']);
    expect(await schemasWith(database, 'shelf')).to.deep.equal(['acme']);
  });

  it('M4 one that fails in a transaction of its own is reported with what it failed of, and leaves the connection clean', async () => {
    const defaults = await settings();
    set.use(
      migrationOf('M3', async migration => void (await migration.execute('begin'), await migration.execute('select 1 / 0')), {
        transactional: false,
      }),
    );

    const result = await set.tenants.migrate({ only: ['acme'] });

    expect((result.failed[0]?.error as MigrationError | undefined)?.cause).to.include({ code: '22012' });
    expect([await settings(), await heldLocks()]).to.deep.equal([defaults, 0]);
  });

  it('M4 one that leaves a transaction open has failed, and is not recorded', async () => {
    set.use(
      migrationOf(
        'M3',
        async migration => {
          await migration.execute('begin');
          migration.addSql('create table "shelf" ("id" int)');
        },
        { transactional: false },
      ),
    );

    const result = await set.tenants.migrate({ only: ['acme'] });

    expect(String(result.failed[0]?.error)).to.contain('did not end it');
    expect([await historyOf(database, 'acme'), await schemasWith(database, 'shelf')]).to.deep.equal([['M1'], []]);
    expect(await heldLocks()).to.equal(0);
  });

  it('M11 it may read, in its own tenant', async () => {
    await database.query(`insert into acme.tag (name) values ('one')`);
    const seen: unknown[] = [];
    set.use(
      migrationOf(
        'M3',
        async migration => {
          seen.push((await migration.execute('select name from tag'))[0]?.['name']);
        },
        { transactional: false },
      ),
    );

    await set.tenants.migrate();

    expect(seen).to.deep.equal(['one', undefined]);
  });

  it('T1 a new tenant gets it in the transaction of its creation, without the word', async () => {
    set.use(COLOUR, INDEX, SHAPE);

    await set.create('newbie');
    expect(await indexes()).to.deep.equal(['newbie.tag_colour_index']);
    expect(await historyOf(database, 'newbie')).to.deep.equal(['M1', 'M2', 'M3', 'M4']);

    set.use(COLOUR, INDEX, sqlMigration('M4', 'select 1 / 0'));
    expect(String(await failureOf(set.create('never')))).to.contain('division by zero');
    expect(await indexes()).to.deep.equal(['newbie.tag_colour_index']);
    expect(await schemasWith(database, 'tag')).to.not.include('never');
  });

  if (database.kind === 'postgresql') {
    it('M5 two runs at once do each once, and neither waits for the other inside the index', async () => {
      const second = await openTenantSet(database);
      await database.query('create table if not exists public.ran (schema_name text)');
      const entries = [COLOUR, INDEX, outside('M4', 'insert into public.ran select current_schema()')];
      set.use(...entries);
      second.use(...entries);

      const results = await Promise.all([set.tenants.migrate(), second.tenants.migrate({ concurrency: 2 })]);
      await second.orm.close();

      expect(results.flatMap(({ failed }) => failed.map(({ error }) => String(error)))).to.deep.equal([]);
      expect(results.flatMap(({ migrated }) => migrated.map(({ schemaName }) => schemaName)).toSorted()).to.deep.equal(['acme', 'bob']);
      expect(await database.query('select schema_name from public.ran order by 1')).to.deep.equal([
        { schema_name: 'acme' },
        { schema_name: 'bob' },
      ]);
      await database.query('drop table public.ran');
    });

    it('M9 one that loses its connection is reported as that, and the pool has its place back', async () => {
      set.use(outside('M3', 'select pg_sleep(30)'));

      const run = set.tenants.migrate({ only: ['acme'] });
      await until('the migration sleeps', async () => (await sleeping()).length > 0);
      await database.query('select pg_terminate_backend($1, 5000)', [(await sleeping())[0]?.pid]);
      const result = await run;

      expect((result.failed[0]?.error as MigrationError | undefined)?.cause).to.include({ code: '57P01' });
      set.use(COLOUR);
      expect((await set.tenants.migrate()).migrated).to.have.length(2);
    });
  }

  function sleeping(): Promise<{ pid: number }[]> {
    return database.query(`select pid from pg_stat_activity where query = 'select pg_sleep(30)' and state = 'active'`);
  }

  async function indexes(): Promise<string[]> {
    const rows = await database.query<{ name: string }>(
      `select schemaname || '.' || indexname as name from pg_indexes where indexname like 'tag_colour%' order by 1`,
    );

    return rows.map(({ name }) => name);
  }

  /** The state that the next user of the only connection finds. */
  function settings(): Promise<unknown> {
    return set.orm.em
      .getConnection()
      .execute(
        `select current_setting('search_path') as path, current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`,
      );
  }

  async function heldLocks(): Promise<number> {
    const [row] = await database.query<{ count: number }>(
      `select count(*)::int as count from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    );

    return row?.count ?? 0;
  }
});

/** A migration that cannot run in a transaction. */
function outside(name: string, up: string, down = ''): MigrationEntry {
  return migrationOf(name, migration => migration.addSql(up), { down: migration => migration.addSql(down), transactional: false });
}

onDatabases(
  'migrations outside a transaction, behind a pooler',
  database => {
    let set: TenantSet;

    before(async () => {
      set = await openTenantSet(database);
    });

    after(() => set.clear());

    it('N3 they are refused before anything runs in the tenant, as path and lock would stay on a connection of everybody', async () => {
      await set.create('acme');
      set.use(COLOUR, INDEX);

      const result = await set.tenants.migrate();
      const error = result.failed[0]?.error as MigrationError | undefined;

      expect(error?.code, String(error)).to.equal('MIGRATION_NEEDS_SESSION');
      expect(error).to.include({ migration: 'M3', isRolledBack: true });
      expect(error?.message).to.contain('"acme"').and.to.contain('directly to PostgreSQL');
      expect(await historyOf(database, 'acme')).to.deep.equal(['M1']);
    });

    it('N3 in a new tenant they run with all others, in its one transaction', async () => {
      set.use(COLOUR, INDEX);
      await set.create('newbie');

      expect(await historyOf(database, 'newbie')).to.deep.equal(['M1', 'M2', 'M3']);
    });
  },
  ['pgbouncer'],
);
