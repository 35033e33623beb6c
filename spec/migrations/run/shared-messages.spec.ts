import { type RunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Client } from 'pg';
import { schemaNamesOf } from '../../support/assertions/run-result.ts';
import { schemasWith } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { randomNumbers, randomPick } from '../../support/generators/random.ts';
import { migrationOf, openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';

const NAMES = Array.from({ length: 36 }, (_, n) => `t${String(n).padStart(2, '0')}`);
const M2 = sqlMigration('M2', 'alter table "tag" add column "colour" text');

const END_SESSIONS = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name <> 'spec observer'`;

const SETS_SESSION =
  'create function "sets"() returns void language sql as ' +
  `$$ select set_config('search_path', 't05', false), set_config('role', session_user, false) $$`;

onDatabases(
  'tenants that share a message',
  database => {
    let set: TenantSet;
    const messages: string[] = [];

    before(async () => {
      set = await openTenantSet(database, { debug: ['query'], logger: text => messages.push(text), pool: { min: 0, max: 3 } });
    });

    beforeEach(async () => {
      await set.create(...NAMES);
      set.use(M2);
      messages.length = 0;
    });

    afterEach(async () => {
      expect(await heldLocks()).to.equal(0);
      await set.clear();
    });

    after(() => set.orm.close(true));

    it('P1, M36 fewer messages than tenants are sent, each tenant in a transaction of its own', async () => {
      const result = await set.tenants.migrate({ concurrency: 1 });

      expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES);
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(NAMES);
      // 1, 4, 16 and what is left, if none takes long
      expect(messages.filter(text => text.includes('add column "colour"')).length).to.be.within(4, NAMES.length / 2);
      expect(await transactionsOf(NAMES)).to.equal(NAMES.length);
    });

    it('P1, M36 a failure ends a message: what came before it is done, the tenant is named with its statement, and what came after it follows', async () => {
      const broken = ['t00', 't07', 't08', 't20', 't35'];
      await breakTenants(...broken);

      const result = await set.tenants.migrate({ concurrency: 1 });

      expect(schemaNamesOf(result.failed)).to.deep.equal(broken);
      expect(result.failed.map(({ error }) => (error as { statement?: string }).statement)).to.deep.equal(
        broken.map(() => 'alter table "tag" add column "colour" text'),
      );
      expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES.filter(name => !broken.includes(name)));
      expect(await recorded('M2')).to.deep.equal(NAMES.filter(name => !broken.includes(name)));
    });

    it('P1, M36 nothing is begun after so many failures, whatever shared the message', async () => {
      await breakTenants('t10', 't12');

      const result = await set.tenants.migrate({ concurrency: 1, maxFailures: 1 });

      expect([schemaNamesOf(result.failed), result.notBegun]).to.deep.equal([['t10'], NAMES.slice(11)]);
      expect(await recorded('M2')).to.deep.equal(NAMES.slice(0, 10));
    });

    it('P1, M36 a message is as long as a run may take to stop', async () => {
      set.use(sqlMigration('M2', ['select pg_sleep(0.06)', 'alter table "tag" add column "colour" text']));
      const controller = new AbortController();
      let done = 0;
      const result = await set.tenants.migrate({
        concurrency: 1,
        signal: controller.signal,
        onProgress: () => {
          done += 1;

          if (done === 6) {
            controller.abort();
          }
        },
      });

      // three of them take 180 ms
      expect(result.migrated.length).to.be.within(6, 9);
      expect(result.notBegun).to.deep.equal(NAMES.slice(result.migrated.length));
    });

    it('N3 a path that one of them has set for the session is not that of the next, nor of the application', async () => {
      set.use(
        migrationOf('M2', each => {
          each.addSql('alter table "tag" add column "colour" text');
          each.addSql(`select set_config('search_path', 't05', false)`);
        }),
      );

      const path = (): Promise<object[]> => set.orm.em.fork().execute('show search_path');
      const before = await path();

      expect((await set.tenants.migrate({ concurrency: 1 })).failed).to.deep.equal([]);
      expect(await path()).to.deep.equal(before);
      expect(await schemasWith(database, 'tag', 'colour')).to.deep.equal(NAMES);
    });

    for (const [way, statements] of [
      ['a function that it calls', [SETS_SESSION, 'select "sets"()']],
      ['a block', [`do $$ begin set search_path to t05; end $$`]],
    ] as const) {
      it(`N3 a path and a role that one of them has set for the session in ${way} are not those of the application`, async () => {
        set.use(sqlMigration('M2', ['alter table "tag" add column "colour" text', ...statements]));
        const state = `select current_setting('search_path') as path, current_setting('role') as role, pg_sleep(0.02)`;
        const all = (): Promise<unknown[]> => Promise.all([1, 2, 3].map(() => set.orm.em.fork().execute(state)));
        const before = await all();

        expect((await set.tenants.migrate()).failed).to.deep.equal([]);
        expect(await all()).to.deep.equal(before);
      });
    }

    it('N3 an error that says nothing of the connection leaves no transaction and no lock on it', async () => {
      const raise = `do $$ begin if current_schema() = 't05' then raise exception sqlstate '53300'; end if; end $$`;
      set.use(sqlMigration('M2', ['alter table "tag" add column "colour" text', raise]));
      const result = await set.tenants.migrate({ concurrency: 1, databaseTimeoutMs: 150, retries: 1 });

      expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES.slice(0, 5));
      expect(result.notBegun).to.deep.equal(NAMES.slice(5));
    });

    it('M9 without retries, the first failure names the statement and the session that holds the lock', async () => {
      const locker = await connect();
      await locker.query('begin; lock table "t07"."tag"');
      const { failed } = await set.tenants.migrate({ concurrency: 1, retries: 0, lockTimeoutMs: 50 });
      await locker.end();

      expect(schemaNamesOf(failed)).to.deep.equal(['t07']);
      expect(failed[0]?.error).to.include({ statement: 'alter table "tag" add column "colour" text' });
    });

    it('M5 two runs migrate each tenant once, also where a migration releases the locks of its session', async () => {
      set.use(sqlMigration('M2', ['select pg_advisory_unlock_all()', 'insert into "tag" ("name") values (gen_random_uuid())']));
      await Promise.all([set.tenants.migrate({ concurrency: 1 }), set.tenants.migrate({ concurrency: 2 })]);

      const rows = await database.query<{ count: number }>(
        NAMES.map(name => `select count(*)::int as count from "${name}"."tag"`).join(' union all '),
      );
      expect(rows.map(({ count }) => count)).to.deep.equal(NAMES.map(() => 1));
    });

    it('P1, M36 a migration that was reverted since the run has read the history comes before those that follow it', async () => {
      await set.tenants.migrate();
      set.use(M2, sqlMigration('M3', 'select "colour" from "tag"'));
      let reverted: Promise<void> | undefined;
      const { failed, migrated } = await set.tenants.migrate({
        concurrency: 1,
        onProgress: ({ schemaName }) => {
          reverted ??= schemaName === 't00' ? revert('t35') : undefined;
        },
      });
      await reverted;

      expect(failed).to.deep.equal([]);
      expect(migrated.at(-1)?.migrations).to.deep.equal(['M2', 'M3']);
    });

    it('P1, M36 a schema that is dropped by hand during a message leaves the report of the others right', async () => {
      set.use(
        sqlMigration('M2', [
          'alter table "tag" add column "colour" text',
          // waits for the other in the middle of a message
          `do $$ begin while current_schema() = 't01' and exists (select from pg_namespace where nspname = 't04') loop perform pg_sleep(0.02); end loop; end $$`,
        ]),
      );
      let dropped: Promise<unknown> | undefined;
      const { failed, migrated } = await set.tenants.migrate({
        concurrency: 1,
        onProgress: ({ schemaName }) => {
          dropped ??= schemaName === 't00' ? database.query('drop schema "t04" cascade') : undefined;
        },
      });
      await dropped;
      await database.query(`create schema "t04"; comment on schema "t04" is 'tenant of @landlord/mikro-orm'`);

      expect(schemaNamesOf(failed)).to.deep.equal(['t04']);
      expect(schemaNamesOf(migrated)).to.deep.equal(NAMES.filter(name => name !== 't04'));
    });

    for (const [what, sql, unconfirmed] of [
      ['a tenant that was dropped since it was migrated', 'drop schema "t00" cascade; create schema "other"', []],
      ['one whose history is locked', `begin; lock table "t00"."mikro_orm_migrations"; ${END_SESSIONS}`, ['t00']],
    ] as const) {
      it(`P1, M37 ${what} is not said to be lost by a crash`, async () => {
        const other = await connect();
        const notices: string[] = [];
        let done: Promise<unknown> | undefined;
        set.use(sqlMigration('M2', ['alter table "tag" add column "colour" text', 'select pg_sleep(0.005)']));
        const result = await set.tenants.migrate({
          concurrency: 1,
          lockTimeoutMs: 50,
          onNotice: ({ kind }) => notices.push(kind),
          onProgress: () => {
            done ??= other.query(sql);
          },
        });
        await done;
        await other.end();
        await database.query(`create schema if not exists "t00"; comment on schema "t00" is 'tenant of @landlord/mikro-orm'`);

        expect([notices.includes('lost'), result.failed, result.unconfirmed]).to.deep.equal([false, [], unconfirmed]);
        expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES);
      });
    }

    it('M13 a run goes on if all its sessions are ended between its plan and its first tenant', async () => {
      const other = await connect();
      let ended: Promise<unknown> | undefined;
      const result = await set.tenants.migrate({
        onPlan: () => {
          ended = other.query(END_SESSIONS);
        },
      });
      await ended;
      await other.end();

      expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES);
    });

    it('P1, M36 a history that another session has locked holds up its own tenant alone, and no lock is left behind', async () => {
      const locker = new Client(database.options().clientUrl ?? '');
      await locker.connect();
      set.use(sqlMigration('M2', ['select pg_sleep(0.01)', 'alter table "tag" add column "colour" text']));
      // the run has read it before
      const result = await set.tenants.migrate({
        concurrency: 1,
        lockTimeoutMs: 50,
        retries: 1,
        onPlan: () => void locker.query('begin; lock table "t30"."mikro_orm_migrations"'),
      });
      await locker.query('rollback');
      await locker.end();

      expect(schemaNamesOf(result.failed)).to.deep.equal(['t30']);
      expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES.filter(name => name !== 't30'));
    });

    it('P1, M36 any mix of tenants that fail, are busy, or were migrated meanwhile, ends as if each had been alone', async () => {
      for (const seed of [1, 2]) {
        const pick = randomPick(randomNumbers(seed));
        const fates = new Map(NAMES.map(name => [name, pick(FATES)] as const));
        const of = (fate: Fate): string[] => NAMES.filter(name => fates.get(name) === fate);
        await breakTenants(...of('broken'));
        const locker = new Client(database.options().clientUrl ?? '');
        await locker.connect();

        for (const name of [...of('busy'), ...of('changed')]) {
          await locker.query(`select pg_advisory_lock(hashtextextended('landlord:' || $1, 0))`, [name]);
        }

        let released: Promise<unknown> | undefined;
        const result = await set.tenants.migrate({
          concurrency: pick([1, 2, 3]),
          onNotice: () => undefined,
          onProgress: () => {
            // what the run has planned for has been done by somebody else when it gets the lock
            released ??= change(of('changed')).then(() => locker.end());
          },
        });
        await (released ?? change(of('changed')).then(() => locker.end()));

        expectFates(result, { broken: of('broken'), changed: of('changed') });
        expect(await recorded('M2')).to.deep.equal(NAMES.filter(name => fates.get(name) !== 'broken'));
        await set.clear();
        await set.create(...NAMES);
        set.use(M2);
      }
    });

    async function connect(): Promise<Client> {
      const client = new Client(database.options().clientUrl ?? '');
      await client.connect();

      return client;
    }

    async function revert(name: string): Promise<void> {
      await database.query(
        `begin; alter table "${name}"."tag" drop "colour"; delete from "${name}"."mikro_orm_migrations" where name = 'M2'; commit`,
      );
    }

    async function change(names: readonly string[]): Promise<void> {
      for (const name of names) {
        await database.query(
          `begin; set local search_path to "${name}"; alter table tag add column colour text; insert into mikro_orm_migrations (name) values ('M2'); commit`,
        );
      }
    }

    function expectFates(
      result: RunResult,
      { broken, changed }: { readonly broken: readonly string[]; readonly changed: readonly string[] },
    ): void {
      expect(schemaNamesOf(result.failed)).to.deep.equal(broken);
      expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES.filter(name => !broken.includes(name) && !changed.includes(name)));
      expect([result.notBegun, result.unconfirmed]).to.deep.equal([[], []]);
    }

    async function breakTenants(...names: readonly string[]): Promise<void> {
      for (const name of names) {
        await database.query(`alter table "${name}"."tag" add column "colour" int`);
      }
    }

    async function recorded(migration: string): Promise<string[]> {
      const there: string[] = [];

      for (const name of NAMES) {
        const rows = await database.query(`select 1 from "${name}"."mikro_orm_migrations" where name = '${migration}'`);

        if (rows.length > 0) {
          there.push(name);
        }
      }

      return there;
    }

    /** How many transactions have recorded something in these tenants. */
    async function transactionsOf(names: readonly string[]): Promise<number> {
      const rows = await database.query<{ xmin: string }>(
        names.map(name => `select xmin::text from "${name}"."mikro_orm_migrations" where name = 'M2'`).join(' union all '),
      );

      return new Set(rows.map(({ xmin }) => xmin)).size;
    }

    async function heldLocks(): Promise<number> {
      const rows = await database.query(
        `select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      );

      return rows.length;
    }
  },
  ['postgresql'],
);

type Fate = 'free' | 'broken' | 'busy' | 'changed';

const FATES: readonly Fate[] = ['free', 'free', 'free', 'broken', 'busy', 'changed'];
