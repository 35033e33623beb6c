import { MigrationError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type pg from 'pg';
import { onDatabases } from '../../support/databases/database.ts';
import { startMigrating } from '../../support/processes/migrate-process.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';
import { until } from '../../support/assertions/until.ts';
import { countLockWaits, openSession } from '../../support/databases/sessions.ts';
import { errorIn, schemaNamesOf } from '../../support/assertions/run-result.ts';

const NAMES = Array.from({ length: 20 }, (_, n) => `t${String(n).padStart(2, '0')}`);
const FIRST = ['M1', 'create table "tag" ("id" serial primary key, "name" varchar(255) not null unique)'] as const;
const RECORD = ['M2', 'insert into public.ran select current_schema()', 'select pg_sleep(0.01)'] as const;
const COLOUR = sqlMigration('M2', 'alter table "tag" add column "colour" text');

onDatabases(
  'locks of a run',
  database => {
    let set: TenantSet;
    let other: pg.Client;

    before(async () => {
      set = await openTenantSet(database);
      await database.query('create table public.ran (schema_name text)');
      await database.query('create table public.gate (id int)');
      other = await openSession(database);
    });

    afterEach(async () => {
      await other.query('rollback');
      await other.query('select pg_advisory_unlock_all()');
      await database.query('truncate public.ran');
      await set.clear();
    });

    for (const [kind, prelude] of [
      ['that only queue SQL', undefined],
      ['that read', 'select 1'],
    ] as const) {
      it(`M5 two runs in one process, of migrations ${kind}, migrate every tenant once`, async () => {
        await set.create(...NAMES);
        set.use(
          migrationOf('M2', async migration => {
            if (prelude !== undefined) {
              await migration.execute(prelude);
            }

            RECORD.slice(1).forEach(sql => migration.addSql(sql));
          }),
        );
        const second = await openTenantSet(database, {}, [sqlMigration(RECORD[0], RECORD.slice(1))]);

        const results = await Promise.all([
          set.tenants.migrate({ concurrency: 3 }),
          second.tenants.migrate({ concurrency: 3 }),
          set.tenants.migrate({ concurrency: 3 }),
        ]);
        await second.orm.close();

        expect(results.flatMap(({ failed }) => failed.map(({ error }) => String(error)))).to.deep.equal([]);
        expect(results.flatMap(({ migrated }) => migrated.map(({ schemaName }) => schemaName)).toSorted()).to.deep.equal(NAMES);
        results.forEach(({ total, upToDate, migrated }) => expect(upToDate + migrated.length).to.equal(total));
        expect(await ran()).to.deep.equal(NAMES);
      });
    }

    it('M5 two processes at once share the tenants, and migrate each once', async () => {
      await set.create(...NAMES);

      const results = await Promise.all([1, 2].map(() => startMigrating(database.url ?? '', [FIRST, RECORD]).ended));

      expect(results.flatMap(result => result?.failed)).to.deep.equal([]);
      expect(results.flatMap(result => result?.migrated ?? []).toSorted()).to.deep.equal(NAMES);
      expect(await ran()).to.deep.equal(NAMES);
    });

    it('M5 waits for a tenant that another run has for longer than the lock time-out', async () => {
      await set.create('acme', 'bob');
      set.use(COLOUR);
      await other.query(`select pg_advisory_lock(${keyOf('bob')})`);
      database.statements.length = 0;

      const run = set.tenants.migrate({ lockTimeoutMs: 1, retries: 0 });
      await until(
        'the run asks for bob again',
        () => database.statements.filter(sql => sql.includes('pg_try_advisory_xact_lock') && sql.includes(`'bob'`)).length > 3,
      );
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['acme']);
      await other.query(`select pg_advisory_unlock(${keyOf('bob')})`);

      expect(schemaNamesOf((await run).migrated)).to.deep.equal(['acme', 'bob']);
    });

    it('M5, M9 reports a tenant that somebody has for too long, and does all others', async () => {
      await set.create('acme', 'bob');
      set.use(COLOUR);
      await other.query(`select pg_advisory_lock(${keyOf('acme')})`);
      const result = await set.tenants.migrate({ busyTimeoutMs: 100 });

      expect([schemaNamesOf(result.migrated), schemaNamesOf(result.failed), result.notBegun]).to.deep.equal([['bob'], ['acme'], []]);
      expect(errorIn(result, 'acme', MigrationError)).to.include({ code: 'TENANT_BUSY' });
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(['bob']);
    });

    it('M5 stops asking for a tenant that another run has when it is aborted, and does not give it out as done', async () => {
      await set.create('acme', 'bob');
      set.use(COLOUR);
      await other.query(`select pg_advisory_lock(${keyOf('bob')})`);
      const stop = new AbortController();

      const run = set.tenants.migrate({ signal: stop.signal });
      await until('acme is migrated', async () => (await schemasWith(database, 'tag', 'colour')).length > 0);
      stop.abort();
      const result = await run;

      expect([schemaNamesOf(result.migrated), result.failed, result.notBegun]).to.deep.equal([['acme'], [], ['bob']]);
    });

    it('M5 creating a tenant takes the same lock', async () => {
      await other.query(`select pg_advisory_lock(${keyOf('newbie')})`);

      const creation = set.create('newbie');
      await until('the creation waits', async () => (await countLockWaits(database, `locktype = 'advisory'`)) > 0);
      expect(await schemasWith(database, 'tag')).to.deep.equal([]);
      await other.query(`select pg_advisory_unlock(${keyOf('newbie')})`);
      await creation;
      expect(await schemasWith(database, 'tag')).to.deep.equal(['newbie']);

      let lockedMeanwhile: unknown;
      set.use(
        migrationOf('M2', async migration => {
          await migration.execute('select 1');
          lockedMeanwhile = (await other.query(`select pg_try_advisory_lock(${keyOf('second')}) as free`)).rows[0].free;
        }),
      );
      await set.create('second');
      expect(lockedMeanwhile).to.equal(false);
    });

    it('M9 a lock held by another session makes that tenant alone time out, which is tried again and then reported', async () => {
      await set.create('acme', 'bob', 'carl');
      set.use(COLOUR);
      await other.query('begin');
      await other.query('lock table bob.tag');
      database.statements.length = 0;

      const result = await set.tenants.migrate({ lockTimeoutMs: 30, retries: 1 });

      expect(schemaNamesOf(result.migrated)).to.deep.equal(['acme', 'carl']);
      expect(errorIn(result, 'bob', MigrationError)).to.include({ code: 'MIGRATION_FAILED', migration: 'M2' });
      expect(errorIn(result, 'bob', MigrationError).cause).to.include({ code: '55P03' });
      expect(errorIn(result, 'bob', MigrationError).statement).to.equal('alter table "tag" add column "colour" text');
      const tries = database.statements.filter(sql => sql.includes('pg_try_advisory_xact_lock') && sql.includes('bob'));
      expect(tries).to.have.length(2);
      expect(await historyOf(database, 'bob')).to.deep.equal(['M1']);
    });

    it('M9 succeeds when the lock is released between two tries', async () => {
      await set.create('acme', 'bob');
      set.use(COLOUR);
      await other.query('begin');
      await other.query('lock table bob.tag');

      const run = set.tenants.migrate({ lockTimeoutMs: 100, retries: 10 });

      // the second try does not use one message, so a later try must succeed
      for (const time of ['first', 'second']) {
        await until(`bob waits the ${time} time`, async () => (await countLockWaits(database, `relation = 'bob.tag'::regclass`)) > 0);
        await until(`bob gives up the ${time} time`, async () => (await countLockWaits(database, `relation = 'bob.tag'::regclass`)) === 0);
      }

      await other.query('rollback');
      const result = await run;

      expect([schemaNamesOf(result.migrated), result.failed]).to.deep.equal([['acme', 'bob'], []]);
    });

    it('M9 a statement that takes too long is reported with its SQLSTATE, and not tried again', async () => {
      await set.create('acme', 'bob');
      set.use(sqlMigration('M2', `select pg_sleep(60) where current_schema() = 'bob'`));
      database.statements.length = 0;

      const result = await set.tenants.migrate({ statementTimeoutMs: 250 });

      expect(schemaNamesOf(result.migrated)).to.deep.equal(['acme']);
      expect(errorIn(result, 'bob', MigrationError).cause).to.include({ code: '57014' });
      // what a tenant that is migrated alone begins with
      expect(database.statements.filter(sql => sql.includes('as has_schema') && sql.includes('"bob"'))).to.have.length(1);
    });

    it('M9 a deadlock with another session is tried again', async () => {
      await set.create('acme', 'bob');
      let tries = 0;
      let otherDone: Promise<unknown> | undefined;
      await other.query('begin');
      await other.query('lock table public.gate');
      set.use(
        migrationOf('M2', async migration => {
          await migration.execute('lock table tag');
          const [row] = await migration.execute('select current_schema() as name');

          if (row?.['name'] === 'bob') {
            tries += 1;
            await migration.execute('lock table public.gate');
          }
        }),
      );

      const run = set.tenants.migrate({ lockTimeoutMs: 10_000 });
      await until('bob waits for the gate', async () => (await countLockWaits(database, `relation = 'public.gate'::regclass`)) > 0);
      otherDone = other.query('lock table bob.tag');
      await otherDone;
      await other.query('rollback');
      const result = await run;

      expect(tries).to.equal(2);
      expect([schemaNamesOf(result.migrated), result.failed]).to.deep.equal([['acme', 'bob'], []]);
    });

    it('M9 a tenant whose connection is lost is tried again, in the middle of a migration that reads and of one that queues', async () => {
      await set.create('acme', 'bob');
      let tries = 0;
      set.use(
        migrationOf('M2', async migration => {
          const [row] = await migration.execute('select pg_backend_pid() as pid, current_schema() as name');

          if (row?.['name'] === 'bob' && (tries += 1) === 1) {
            await database.query('select pg_terminate_backend($1, 5000)', [row['pid']]);
          }

          await migration.execute('select 1');
        }),
      );
      const reading = await set.tenants.migrate();
      expect([tries, schemaNamesOf(reading.migrated), reading.failed]).to.deep.equal([2, ['acme', 'bob'], []]);

      set.use(
        migrationOf('M2', () => undefined),
        sqlMigration('M3', 'alter table "tag" add column "colour" text'),
      );
      await other.query('begin');
      await other.query('lock table bob.tag');
      const run = set.tenants.migrate();
      await until('bob waits', async () => (await countLockWaits(database, `relation = 'bob.tag'::regclass`)) > 0);
      await database.query(
        `select pg_terminate_backend(pid, 5000) from pg_locks where not granted and relation = 'bob.tag'::regclass and pid <> pg_backend_pid()`,
      );
      await other.query('rollback');
      const queueing = await run;
      expect([schemaNamesOf(queueing.migrated), queueing.failed]).to.deep.equal([['acme', 'bob'], []]);
      expect(await historyOf(database, 'bob')).to.deep.equal(['M1', 'M2', 'M3']);
    });

    it('M9 outlives a server that ended all idle connections since the last run', async () => {
      await set.create('acme', 'bob');
      await database.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid not in (pg_backend_pid(), ${await pidOf(other)})`,
      );
      set.use(COLOUR);

      const result = await set.tenants.migrate();

      expect([schemaNamesOf(result.migrated), result.failed]).to.deep.equal([['acme', 'bob'], []]);
    });

    async function ran(): Promise<string[]> {
      return (await database.query<{ name: string }>('select schema_name as name from public.ran order by 1')).map(({ name }) => name);
    }
  },
  ['postgresql'],
);

async function pidOf(client: pg.Client): Promise<number> {
  return Number((await client.query('select pg_backend_pid() as pid')).rows[0].pid);
}

/** The key of a tenant's lock, as the documentation gives it. */
function keyOf(schemaName: string): string {
  return `hashtextextended('landlord:${schemaName}', 0)`;
}
