import { MigrationError, type TenantError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type pg from 'pg';
import { historyOf, schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openSession } from '../../support/databases/sessions.ts';
import { newLibrary } from '../../support/orm/library-orm.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { errorIn, schemaNamesOf } from '../../support/assertions/run-result.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { until } from '../../support/assertions/until.ts';

const NAMES = Array.from({ length: 14 }, (_, n) => `t${String(n).padStart(2, '0')}`);
const TABLE = sqlMigration('M2', 'create table "shelf" ("id" int)');
const COLOUR = sqlMigration('M3', ['select 1', 'alter table "tag" add column "colour" text']);
const LAST = sqlMigration('M4', 'create table "label" ("id" int)');

onDatabases('what a run says of failures', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
    await database.query('create sequence public.attempts');
  });

  afterEach(() => set.clear());

  it('M4 stops after ten failures of one cause, if no tenant could be migrated, unless told otherwise', async () => {
    await set.create(...NAMES);
    set.use(sqlMigration('M2', 'select nope'));

    const stopped = await set.tenants.migrate({ concurrency: 1 });
    expect([stopped.failed.length, stopped.notBegun.length, stopped.stopped]).to.deep.equal([10, 4, { reason: 'equal failures' }]);

    const all = await set.tenants.migrate({ concurrency: 1, maxEqualFailures: 0 });
    expect([all.failed.length, all.notBegun, all.stopped]).to.deep.equal([14, [], undefined]);

    // what is reached with the last tenant has stopped nothing
    const last = await set.tenants.migrate({ concurrency: 1, maxEqualFailures: 14 });
    expect([last.failed.length, last.stopped]).to.deep.equal([14, undefined]);

    const three = await set.tenants.migrate({ concurrency: 1, maxEqualFailures: 3 });
    expect([three.failed.length, three.notBegun.length]).to.deep.equal([3, 11]);
  });

  it('M4 does not stop where one tenant could be migrated, where causes differ, or for tenants that cannot be migrated at all', async () => {
    await set.create(...NAMES);
    set.use(sqlMigration('M2', `select 1 / (current_schema() = 't00')::int`));
    const one = await set.tenants.migrate({ concurrency: 1, maxEqualFailures: 2 });
    expect([schemaNamesOf(one.migrated), one.failed.length, one.notBegun]).to.deep.equal([['t00'], 13, []]);

    set.use(sqlMigration('M3', `do $$ begin raise exception 'number %', random(); end $$`));
    const differing = await set.tenants.migrate({ concurrency: 1, maxEqualFailures: 2 });
    expect([differing.failed.length, differing.notBegun]).to.deep.equal([14, []]);

    for (const name of NAMES.slice(1, 12)) {
      await database.query(`drop schema ${name} cascade`);
    }

    set.use(LAST);
    const missing = await set.tenants.migrate({ concurrency: 1, maxEqualFailures: 2 });
    expect([schemaNamesOf(missing.migrated), missing.failed.length]).to.deep.equal([['t00', 't12', 't13'], 11]);
  });

  for (const [kind, reads] of [
    ['that only queue SQL', false],
    ['that read', true],
  ] as const) {
    it(`M4 reports a tenant as failed where a migration throws nothing but \`undefined\`, of migrations ${kind}`, async () => {
      await set.create('acme');
      set.use(
        migrationOf('M2', async migration => {
          if (reads) {
            await migration.execute('select 1');
          }

          migration.addSql('create table "shelf" ("id" int)');
          // as by a promise that is rejected without a reason
          await Promise.reject();
        }),
      );
      const result = await set.tenants.migrate();

      expect(result.migrated).to.deep.equal([]);
      expect(errorIn(result, 'acme', MigrationError).migration).to.equal('M2');
      expect(await historyOf(database, 'acme')).to.deep.equal(['M1']);
      await refusal(() => set.create('bob'), 'TENANT_NOT_PROVISIONED');
    });
  }

  for (const [kind, reads, times] of [
    // once to do it, and once to find the statement
    ['that only queue SQL', false, database.kind === 'pglite' ? 1 : 2],
    ['that read', true, 1],
  ] as const) {
    it(`M9 runs a migration at most twice that fails for a reason of its own, of migrations ${kind}`, async () => {
      await set.create('acme');
      set.use(
        TABLE,
        migrationOf('M3', async migration => {
          if (reads) {
            await migration.execute('select 1');
          }

          migration.addSql(`select nextval('public.attempts')`);
          migration.addSql('select 1 / 0');
        }),
        LAST,
      );
      const before = await attempts();

      const result = await set.tenants.migrate();

      expect((await attempts()) - before).to.equal(times);
      expect(errorIn(result, 'acme', MigrationError)).to.include({ migration: 'M3', statement: 'select 1 / 0' });
    });
  }

  it('M7 a row that plain SQL has given a name that no tenant can have is refused, and seen by every report', async () => {
    await set.create('acme', 'a');
    await database.query(`insert into library (name, domain_url, schema_name) values ('x', 'caps.example.com', 'CAPS')`);
    await database.query(`create schema "CAPS"`);
    await database.query(`comment on schema "CAPS" is 'tenant of @landlord/mikro-orm'`);
    set.use(LAST);

    try {
      const { tenants } = await set.tenants.status();
      const previews = await set.tenants.preview();
      const logged = await set.tenants.logMigration('M4', { only: ['CAPS'] });
      const result = await set.tenants.migrate();

      expect(tenants.map(({ schemaName, error }) => [schemaName, error?.code])).to.deep.equal([
        ['CAPS', 'SCHEMA_NAME_INVALID'],
        ['a', undefined],
        ['acme', undefined],
      ]);
      expect(previews.map(({ schemaNames, error }) => [schemaNames, (error as TenantError | undefined)?.code])).to.deep.equal([
        [['a', 'acme'], undefined],
        [['CAPS'], 'SCHEMA_NAME_INVALID'],
      ]);
      expect([logged, result].map(each => errorIn(each, 'CAPS').code)).to.deep.equal(['SCHEMA_NAME_INVALID', 'SCHEMA_NAME_INVALID']);
      expect(schemaNamesOf(result.migrated)).to.deep.equal(['a', 'acme']);
      expect(await historyOf(database, 'CAPS')).to.equal(undefined);
    } finally {
      await database.query(`delete from library where schema_name = 'CAPS'`);
      await database.query(`drop schema "CAPS" cascade`);
    }
  });

  it('M9 names the statement that failed, whatever is in its text and in that of others', async () => {
    const failing = [
      'select nope',
      'selec',
      'select 1 / 0',
      'insert into tag (id, name) values (1, $$a$$), (1, $$b$$)',
      'do $landlord$ begin perform 1 / 0; end $landlord$',
      `select 1 as one, 'it''s' || $landlord1$x$landlord1$\n, 1 / 0 -- end`,
      '/* $landlord */ select\n\n1 / 0',
      'select 1; select 1 / 0; select 1;',
    ];

    for (const [position, statement] of failing.entries()) {
      const name = `f${position}`;
      await set.create(name);
      set.use(TABLE, sqlMigration('M3', ['select 1\n, 1', 'select 1 as one, $landlord$ a $landlord$', statement, 'select 1']), LAST);

      const error = errorIn(await set.tenants.migrate({ only: [name] }), name, MigrationError);

      expect([error.migration, error.statement], error.message).to.deep.equal(['M3', statement]);
      await set.clear();
    }
  });

  it('M3 runs what PL/pgSQL would not', async () => {
    await set.create('acme');
    set.use(sqlMigration('M2', ['select 1 as id into table "copied"', 'alter table "copied" add column "colour" text']));

    expect((await set.tenants.migrate()).failed).to.deep.equal([]);
    expect(await database.query('select id, colour from acme.copied')).to.deep.equal([{ id: 1, colour: null }]);
  });

  async function attempts(): Promise<number> {
    const [row] = await database.query<{ n: string }>('select last_value + is_called::int as n from public.attempts');

    return Number(row?.n);
  }
});

onDatabases(
  'who a run waits for',
  database => {
    let set: TenantSet;
    let other: pg.Client;

    before(async () => {
      set = await openTenantSet(database);
      other = await openSession(database);
      await other.query(`set application_name to 'nightly'`);
    });

    beforeEach(async () => {
      await set.create('acme', 'bob');
      set.use(TABLE, COLOUR, LAST);
    });

    afterEach(async () => {
      await other.query('rollback');
      await other.query('select pg_advisory_unlock_all()');
      await set.clear();
    });

    it('M9 a lock time-out names the migration, the statement and the session that holds the lock', async () => {
      await other.query('begin');
      await other.query('lock table bob.tag');

      for (const lockTimeoutMs of [50, 1_500]) {
        const error = errorIn(await set.tenants.migrate({ lockTimeoutMs, retries: 0 }), 'bob', MigrationError);

        expect(error).to.include({ migration: 'M3', statement: 'alter table "tag" add column "colour" text' });
        expect(error.blockers.map(({ application, state, query }) => [application, state, query])).to.deep.equal([
          ['nightly', 'idle in transaction', 'lock table bob.tag'],
        ]);
        expect(error.message).to.match(
          /lock was held by session \d+ \("nightly", user \w+, idle in transaction for \d+ s, query: lock table bob\.tag\)/,
        );
      }
    });

    it('M9 a tenant is not blamed for the lock of one whose name begins with the same 60 letters', async () => {
      const names = ['1', '2'].map(end => `${'a'.repeat(62)}${end}`);
      const [one = '', two = ''] = names;
      await set.clear();
      await set.create(...names);
      set.use(
        sqlMigration('M2', [
          `select pg_sleep(case when current_schema() like '%2' then 1.3 else 0 end)`,
          'alter table "tag" add "more" int',
        ]),
      );
      await other.query('begin');
      await other.query(`lock table ${one}.tag`);
      const blocked: string[] = [];
      const run = set.tenants.migrate({
        lockTimeoutMs: 1_200,
        retries: 0,
        onNotice: notice => blocked.push(notice.kind === 'blocked' ? notice.schemaName : notice.kind),
      });
      const result = await run;

      expect([blocked, schemaNamesOf(result.failed), schemaNamesOf(result.migrated)]).to.deep.equal([[one], [one], [two]]);
    });

    it('M9 a time-out of the transaction is its migration’s, and is not waited for as trouble of the database', async () => {
      const notices: string[] = [];
      set.use(
        migrationOf('M2', async migration => {
          await migration.execute(`set local idle_in_transaction_session_timeout to '20ms'`);
          attempts += 1;
          await until('the server has ended the session', async () => (await idle()) === 0);
          await migration.execute('select 1');
        }),
      );
      let attempts = 0;
      const result = await set.tenants.migrate({ only: ['acme'], onNotice: ({ kind }) => notices.push(kind) });

      expect([attempts, notices]).to.deep.equal([1, []]);
      expect(errorIn(result, 'acme', MigrationError).message).to.contain('terminating connection due to idle-in-transaction timeout');
    });

    it('T6 the creation of a tenant waits for a lock once, and names the statement that waited', async () => {
      await database.query('create table public.shared (id int primary key)');
      set.use(TABLE, sqlMigration('M3', ['select 1', 'create table "refers" ("id" int references public.shared (id))']), LAST);
      await other.query('begin');
      await other.query('lock table public.shared');
      database.statements.length = 0;
      const creation = set.orm.em.fork().transactional(async em => {
        await em.execute(`set local lock_timeout to '600ms'`);
        await em.persistAndFlush(newLibrary('carl'));
      });
      const error = await refusal(creation, 'TENANT_NOT_PROVISIONED');

      // the next try, which tells which statement it was, gives up much sooner
      const waits = database.statements
        .filter(sql => sql.includes('create table "refers"'))
        .map(sql => Number(/took (\d+) ms/.exec(sql)?.[1]));
      expect(
        waits.filter(ms => ms >= 600),
        waits.join(),
      ).to.have.length(1);
      expect(error).to.include({ migration: 'M3' });
      expect(error.message).to.contain('canceling statement due to lock timeout');
    });

    async function idle(): Promise<number> {
      const [row] = await database.query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity where application_name ~ '^landlord .* acme$'`,
      );

      return row?.n ?? 0;
    }

    it('M14, M9 says while it waits who holds the lock, and sessions of a run carry its name and the tenant', async () => {
      await other.query('begin');
      await other.query('lock table bob.tag');
      const blocked: unknown[] = [];
      const run = set.tenants.migrate({
        lockTimeoutMs: 20_000,
        onNotice: notice => {
          if (notice.kind === 'blocked') {
            blocked.push(
              notice.schemaName,
              notice.blockers.map(({ application }) => application),
            );
          }
        },
      });
      await until('it is told', () => blocked.length > 0);
      const sessions = await database.query(
        `select distinct substr(application_name, 15) as name from pg_stat_activity where application_name ~ '^landlord [0-9a-f]{4} ' and wait_event_type = 'Lock'`,
      );
      await other.query('rollback');

      expect((await run).failed).to.deep.equal([]);
      expect(blocked).to.deep.equal(['bob', ['nightly']]);
      expect(sessions).to.deep.equal([{ name: 'bob' }]);
    });

    it('M5 a tenant that is busy for too long is reported with the session that has it', async () => {
      await other.query(`select pg_advisory_lock(hashtextextended('landlord:acme', 0))`);

      const result = await set.tenants.migrate({ busyTimeoutMs: 100 });

      const error = errorIn(result, 'acme', MigrationError);
      expect(error.blockers.map(({ application }) => application)).to.deep.equal(['nightly']);
      expect(error.message).to.match(/was held for \d+ s by session \d+ \("nightly"/);
      expect(schemaNamesOf(result.migrated)).to.deep.equal(['bob']);
    });

    it('M5 a time-out of 0 waits for a tenant for as long as another session has it', async () => {
      await other.query(`select pg_advisory_lock(hashtextextended('landlord:acme', 0))`);
      const blocked: string[] = [];

      const run = set.tenants.migrate({ busyTimeoutMs: 0, onNotice: notice => blocked.push(notice.kind) });
      await until('it is told', () => blocked.includes('blocked'));
      await other.query('select pg_advisory_unlock_all()');

      expect(schemaNamesOf((await run).migrated)).to.deep.equal(['acme', 'bob']);
    });

    it('M9 a tenant whose table is locked waits longer between two attempts than for the lock', async () => {
      await other.query('begin');
      await other.query('lock table bob.tag');
      const start = performance.now();

      const result = await set.tenants.migrate({ lockTimeoutMs: 100, retries: 2 });

      // three waits of 100 ms, and pauses of 200 and 400 ms
      expect(performance.now() - start).to.be.above(850);
      expect(schemaNamesOf(result.failed)).to.deep.equal(['bob']);
    });
  },
  ['postgresql'],
);

onDatabases('what the creation of a tenant says of failures', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  it('T9 refuses a schema that exists, also if a migration reads', async () => {
    set.use(migrationOf('M2', async migration => void (await migration.execute('select 1'))));
    await database.query('create schema taken');

    await refusal(set.create('taken'), 'SCHEMA_ALREADY_EXISTS');
  });

  it('L6 says that the disk is full, and leaves nothing', async () => {
    // no server of the specs has so small a disk
    const full = `do $$ begin raise exception using errcode = '53100', message = 'could not extend file: No space left on device'; end $$`;

    set.use(sqlMigration('M2', ['create table "big" ("id" int)', full]));
    const error = await refusal(set.create('acme'), 'STORAGE_FULL');

    expect(error.message).to.include('No space left on device').and.to.include('Nothing was stored');
    expect(await schemaNames(database)).to.not.include('acme');
    expect(await set.tenants.list()).to.deep.equal([]);
  });

  it('T6 gives the cause once, and names the statement', async () => {
    set.use(TABLE, sqlMigration('M3', 'select nope'));

    const error = await refusal(set.create('acme'), 'TENANT_NOT_PROVISIONED');

    expect(error.message.match(/nope/g), error.message).to.have.length(1);
    expect(error).to.include({ migration: 'M3' });
  });
});
