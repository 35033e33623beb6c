import { setTimeout as sleep } from 'node:timers/promises';
import type { RunNotice } from '@landlord/mikro-orm';
import { expect } from 'chai';
import type pg from 'pg';
import { DatabaseTrouble } from '../../../dist/migrations/run/database-trouble.js';
import { onDatabases } from '../../support/databases/database.ts';
import { openSession } from '../../support/databases/sessions.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';
import { startMigrating } from '../../support/processes/migrate-process.ts';
import { errorIn } from '../../support/assertions/run-result.ts';
import { until } from '../../support/assertions/until.ts';

onDatabases('what a run does unless told otherwise', database => {
  let set: TenantSet;

  before(async () => {
    set = await openTenantSet(database);
  });

  afterEach(() => set.clear());

  it('M9 its statements wait a second for a lock, and as long as the server lets them for all else', async () => {
    const settings: unknown[] = [];
    await set.create('acme');
    const read = `select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`;
    set.use(migrationOf('M2', async migration => void settings.push(...(await migration.execute(read)))));

    await set.tenants.migrate();
    set.use(migrationOf('M3', async migration => void settings.push(...(await migration.execute(read)))));
    await set.tenants.migrate({ lockTimeoutMs: 300, statementTimeoutMs: 700 });

    expect(settings).to.deep.equal([
      { lock: '1s', statement: '0' },
      { lock: '300ms', statement: '700ms' },
    ]);
  });
});

onDatabases(
  'how long a run tries unless told otherwise',
  database => {
    let set: TenantSet;
    let other: pg.Client;

    before(async () => {
      set = await openTenantSet(database);
      other = await openSession(database);
    });

    afterEach(async () => {
      await other.query('rollback');
      await set.clear();
    });

    it('M9 a tenant whose table is locked is tried four times, after 2, 4 and 8 times the wait', async () => {
      await set.create('acme');
      const begun: number[] = [];
      set.use(
        migrationOf('M2', async migration => {
          await migration.execute('select 1');
          begun.push(performance.now());
          await migration.execute('alter table tag add column colour text');
        }),
      );
      await other.query('begin');
      await other.query('lock table acme.tag');

      const result = await set.tenants.migrate({ lockTimeoutMs: 100 });

      errorIn(result, 'acme');
      const pauses = begun.slice(1).map((at, index) => at - (begun[index] as number) - 100);
      expect(pauses).to.have.length(3);
      [200, 400, 800].forEach((least, index) => expect(pauses[index]).to.be.above(least - 20));
    });

    it('M6 the server ends the statement of a run that was killed, and the tenant is free for the next one', async () => {
      await set.create('acme');
      const { process: child, ended } = startMigrating(database.url ?? '', [
        ['M1', 'create table "tag" ("id" serial primary key)'],
        ['M2', 'create table "killed" ("id" int)', 'select pg_sleep(600)'],
      ]);
      await until('it is at work', async () => (await sessions()) > 0);
      child.kill('SIGKILL');
      await ended;

      await until('its session has ended', async () => (await sessions()) === 0);
      set.use(sqlMigration('M2', 'create table "killed" ("id" int)'));
      expect((await set.tenants.migrate({ busyTimeoutMs: 1 })).migrated).to.have.length(1);
    });

    async function sessions(): Promise<number> {
      const [row] = await database.query<{ n: number }>(
        `select count(*)::int as n from pg_stat_activity where application_name ~ '^landlord .* acme$' and query ~ 'pg_sleep'`,
      );

      return row?.n ?? 0;
    }
  },
  ['postgresql'],
);

describe('how long a run waits for a database', () => {
  it('M13 counts from the last success, so that short troubles add up to nothing', async () => {
    const notices: RunNotice['kind'][] = [];
    const trouble = new DatabaseTrouble({
      database: { execute: async () => [] } as never,
      timeoutMs: 300,
      signal: undefined,
      notify: ({ kind }) => notices.push(kind),
    });

    for (let time = 0; time < 3; time += 1) {
      expect(await trouble.wait(new Error('away'))).to.equal(true);
      trouble.hasPassed();
      await sleep(250);
    }

    expect(notices).to.deep.equal(['waiting', 'back', 'waiting', 'back', 'waiting', 'back']);
  });
});
