import type { RunNotice, RunResult, TenantRunResult } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { inspect } from 'node:util';
import { schemaNamesOf } from '../../support/assertions/run-result.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { POOL_OF_ONE } from '../../support/databases/idle-connections.ts';
import { openRefusingProxy, type ClientRequest, type RefusingProxy } from '../../support/faults/refusing-proxy.ts';
import { effort } from '../../support/generators/effort.ts';
import { REPLAY } from '../../support/generators/property.ts';
import { randomNumbers, randomPick } from '../../support/generators/random.ts';
import { migrationOf, openTenantSet, sqlMigration, type MigrationEntry, type TenantSet } from '../../support/orm/tenant-set.ts';

const NAMES = Array.from({ length: 7 }, (_, n) => `t${n}`);
/** Without those that the database is waited for with. */
const STATES = '40001 40P01 57014 53200 23505 25006 25001 42501 42704 22023 22012 42P01 3F000 42P06 0A000 XX000 P0001 55P03'.split(' ');
const SEED = REPLAY.seed ?? Date.now() % 0x7fffffff;

/** What becomes of a message, and whether the run is aborted then. */
const FATES = [
  { loss: undefined, aborts: true },
  { loss: 'lost before', aborts: true },
  { loss: 'lost after', aborts: true },
  { loss: 'lost before', aborts: false },
  { loss: 'lost after', aborts: false },
] as const;

/** Kinds of runs, by what each sends. `n` is the number of the migration. */
const KINDS: Readonly<Record<string, Kind>> = {
  'up, with tenants that share messages': {
    migration: n => sqlMigration(`M${n}`, [`alter table tag add c${n} int`, `comment on column tag.c${n} is 'x'`]),
    made: n => `exists (select from pg_attribute where attrelid = to_regclass($1 || '.tag') and attname = 'c${n}')`,
  },
  'up, step by step': {
    migration: n =>
      migrationOf(`M${n}`, async each => {
        await each.execute('select 1 from tag');
        each.addSql(`alter table tag add c${n} int`);
      }),
    made: n => `exists (select from pg_attribute where attrelid = to_regclass($1 || '.tag') and attname = 'c${n}')`,
  },
  'up, outside of a transaction': {
    migration: n =>
      migrationOf(
        `M${n}`,
        each => {
          each.addSql(`drop index if exists i${n}`);
          each.addSql(`create index concurrently i${n} on tag (name)`);
        },
        { transactional: false },
      ),
    made: n => `to_regclass($1 || '.i${n}') is not null`,
    mayLeave: true,
  },
};

interface Kind {
  migration(n: number): MigrationEntry;
  /** A condition on the tenant of the name `$1`. */
  made(n: number): string;
  /** Whether a migration that fails may leave what it has made. */
  readonly mayLeave?: boolean;
}

onDatabases(
  `a run of which the server refuses a message, on a pool of one (FC_SEED=${SEED})`,
  database => {
    const random = randomNumbers(SEED);
    const entries: MigrationEntry[] = [];
    let set: TenantSet;
    let proxy: RefusingProxy;
    let n = 1;

    before(async () => {
      proxy = await openRefusingProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      set = await openTenantSet(database, { ...POOL_OF_ONE, clientUrl: proxy.url });
      await set.create(...NAMES);
    });

    afterEach(async () => {
      proxy.decide = undefined;
      expect(await sessionNow()).to.deep.equal({ path: '"$user", public', role: 'none', settings: null });
      expect(await heldLocks()).to.equal(0);
      const { failed, notBegun } = await run();
      expect([failed, notBegun]).to.deep.equal([[], []]);
    });

    for (const [name, kind] of Object.entries(KINDS)) {
      it(`M4 M14 P1 N3 ${name}: what is done is told as done, what failed as failed with the server's error, and the next run does the rest`, async function () {
        this.timeout(effort(180_000, 1_200_000));
        const places = await placesOf(kind);
        const count = effort(12, places.length);

        for (let trial = 0; trial < count; trial += 1) {
          const { at, place } = count === places.length ? places[trial]! : randomPick(random)(places);
          const sqlState = randomPick(random)(STATES);
          add(kind);
          const label = `${sqlState} at place ${place} of message ${at} (FC_SEED=${SEED})`;
          const result = await runRefused(seen => (seen === at ? { place, sqlState } : undefined)).catch((error: unknown) => ({ error }));
          const done = await doneNow(kind);

          if ('error' in result) {
            // before anything was begun
            expect(inspect(result.error, { depth: 10 }), label).to.contain(sqlState);
            expect([...done.values()], label).to.not.include('done');
          } else {
            expectTold(result, done, { label, sqlState, kind });
          }

          expect(await sessionNow(), label).to.deep.equal({ path: '"$user", public', role: 'none', settings: null });
          expect(await heldLocks(), label).to.equal(0);
          const again = await run();
          expect(again.failed, label).to.deep.equal([]);
          expect([...(await doneNow(kind)).values()], label).to.deep.equal(NAMES.map(() => 'done'));
        }
      });
    }

    for (const [name, kind] of Object.entries(KINDS)) {
      it(`M6 M13 ${name}: where it is aborted at whichever message, or that one is lost, or both, it tells what is done, and the next run does the rest`, async function () {
        this.timeout(effort(180_000, 1_200_000));
        const messages = new Set((await placesOf(kind)).map(({ at }) => at)).size;
        const count = effort(8, messages * FATES.length);

        for (let trial = 0; trial < count; trial += 1) {
          const isEach = count === messages * FATES.length;
          const at = isEach ? 1 + (trial % messages) : 1 + Math.floor(random() * messages);
          const { loss, aborts } = isEach ? FATES[Math.floor(trial / messages)]! : randomPick(random)(FATES);
          const stop = new AbortController();
          add(kind);
          let seen = 0;
          let label = '';
          proxy.decide = ({ statements }) => {
            seen += 1;

            if (seen !== at) {
              return undefined;
            }

            label = `${loss ?? 'answered'}${aborts ? ' and aborted' : ''}, at message ${at}: ${statements.join('; ').slice(0, 200)} (FC_SEED=${SEED})`;

            if (aborts) {
              stop.abort();
            }

            return loss;
          };
          const notices: string[] = [];
          const result = await run({ signal: stop.signal, onNotice: ({ kind: each }: RunNotice) => notices.push(each) }).catch(
            (error: unknown) => ({ error }),
          );
          proxy.decide = undefined;
          const done = await doneNow(kind);
          const names = NAMES.filter(each => done.get(each) === 'done');

          if ('error' in result) {
            expect(loss, `${label}: ${inspect(result.error)}`).to.not.equal(undefined);
            expect(names, `${label}: ${inspect(result.error)}`).to.deep.equal([]);
          } else {
            const { failed, notBegun, unconfirmed, stopped } = result;
            const told = `${label}: ${inspect(result, { depth: 3 })}`;
            const migrated = schemaNamesOf(result.migrated);
            // what is not rolled back has failed
            expect(failed.length, told).to.be.at.most(kind.mayLeave === true && loss !== undefined ? 1 : 0);
            expect([...migrated, ...schemaNamesOf(failed), ...notBegun].toSorted(), told).to.deep.equal(NAMES);
            expect(names, told).to.include.members(migrated);
            // nobody has said whether it was committed
            expect(names.length === migrated.length || (aborts && loss === 'lost after') || failed.length > 0, told).to.equal(true);
            // whichever was noticed first, where all have ended and it could not be asked whether they are on disk
            const reasons = notBegun.length > 0 ? ['aborted'] : unconfirmed.length > 0 ? ['aborted', 'database'] : [undefined];
            expect(reasons, told).to.include(stopped?.reason);

            if (aborts) {
              expect(notices, told).to.not.include('waiting');
            } else {
              expect([notBegun, unconfirmed], told).to.deep.equal([[], []]);
            }
          }

          expect(await heldLocks(), label).to.equal(0);
          expect((await run()).failed, label).to.deep.equal([]);
          expect([...(await doneNow(kind)).values()], label).to.deep.equal(NAMES.map(() => 'done'));
        }
      });
    }

    it('M37 P1 what is committed is told, if the server refuses to wait for its disk', async () => {
      add(KINDS['up, step by step']!);
      const result = await runRefused((_, { statements }) => refuseFirst(statements, /pg_logical_emit_message\(/, '57014'));

      expect(schemaNamesOf(result.migrated)).to.deep.equal(NAMES);
      expect(result.unconfirmed.toSorted()).to.deep.equal(NAMES);
      expect(result.stopped).to.deep.include({ reason: 'database' });
    });

    it('M13 P1 a run whose connection is lost goes on, if the server refuses to say whether it is there again', async () => {
      add(KINDS['up, step by step']!);
      const states = ['57P01', '57014'];
      proxy.decide = ({ statements }) => {
        const text = statements.join();
        const isNext = states.length === 2 ? text.includes(`add c${n} int`) : text === 'select 1';

        return states.length > 0 && isNext ? { place: 0, sqlState: states.shift() ?? '' } : undefined;
      };
      const { migrated, failed } = await run();

      expect(states).to.deep.equal([]);
      expect(failed).to.deep.equal([]);
      expect(schemaNamesOf(migrated)).to.deep.equal(NAMES);
    });

    for (const [what, pattern] of Object.entries({ commit: /^commit/, 'look at the history': /mikro_orm_migrations/ })) {
      it(`N4 M13 a run goes on whose connection is lost in a transaction that comes before what needs none: ${what}`, async () => {
        add(KINDS['up, outside of a transaction']!);
        let isBegun = false;
        let isLost = false;
        proxy.decide = ({ statements }) => {
          isBegun ||= statements.join().includes('pg_try_advisory_lock(');
          const isNow = isBegun && !isLost && statements.some(sql => pattern.test(sql));
          isLost ||= isNow;

          return isNow ? 'lost before' : undefined;
        };
        const { migrated, failed } = await run();

        expect(isLost).to.equal(true);
        expect(failed).to.deep.equal([]);
        expect(schemaNamesOf(migrated)).to.deep.equal(NAMES);
      });
    }

    it('M37 a tenant whose message fails after its commit is migrated, and nothing that its migration has set stays', async () => {
      entries.push(
        migrationOf(`M${(n += 1)}`, each => {
          each.addSql(`alter table tag add c${n} int`);
          each.addSql(`select set_config('search_path', 't3', false)`);
        }),
      );
      set.use(...entries);
      const result = await runRefused(
        (_, { statements }) => refuseFirst(statements, /^\s*select set_config\('search_path', '"\$user", public', false\)/, '57014'),
        { only: ['t0'] },
      );

      expect(schemaNamesOf(result.migrated)).to.deep.equal(['t0']);
      expect(await sessionNow()).to.deep.include({ path: '"$user", public' });
    });

    for (const [what, pattern] of Object.entries({
      'its path back': /^reset search_path/,
      'its lock': /pg_advisory_unlock/,
      'a lock that it has': /pg_try_advisory_lock\(/,
      'a transaction that is over': /^rollback/,
    })) {
      it(`N3 M37 no connection is given to others that the server refuses to give ${what}`, async () => {
        add(KINDS['up, outside of a transaction']!);
        await runRefused(
          (_, { statements }) => {
            const place = statements.findIndex(sql => pattern.test(sql));

            // after it was done, where that is not undone
            return place === -1 ? undefined : { place: what === 'a lock that it has' ? 1 : place, sqlState: '57014' };
          },
          { only: ['t0'] },
        );

        expect(await sessionNow()).to.deep.include({ path: '"$user", public' });
        expect(await heldLocks()).to.equal(0);
      });
    }

    it('M4 a migration outside of a transaction that is recorded is told as done, whatever is asked after it', async () => {
      add(KINDS['up, outside of a transaction']!);
      const result = await runRefused((_, { statements }) => refuseFirst(statements, /txid_current_if_assigned/, '57014'), {
        only: ['t0'],
      });

      expect(schemaNamesOf(result.migrated)).to.deep.equal(['t0']);
      let isRecorded = false;
      add(KINDS['up, outside of a transaction']!);
      const next = await runRefused(
        (_, { statements }) => {
          const isAfter = isRecorded && statements[0]?.startsWith('begin') === true;
          isRecorded ||= statements.some(sql => sql.includes(`values ('M${n}')`));

          return isAfter ? { place: 0, sqlState: '57014' } : undefined;
        },
        { only: ['t0'] },
      );

      expect(next.failed).to.deep.equal([]);
      expect(schemaNamesOf(next.migrated)).to.deep.equal(['t0']);
    });

    function add(kind: Kind): void {
      n += 1;
      entries.push(kind.migration(n));
      set.use(...entries);
    }

    function run(options: object = {}): Promise<RunResult> {
      return set.tenants.migrate({ lockTimeoutMs: 20, databaseTimeoutMs: 5_000, ...options });
    }

    /** One message is refused. */
    async function runRefused(
      refuse: (seen: number, request: ClientRequest) => { place: number; sqlState: string } | undefined,
      options: object = {},
    ): Promise<RunResult> {
      let seen = 0;
      let isRefused = false;
      proxy.decide = request => {
        seen += 1;
        const refusal = isRefused ? undefined : refuse(seen, request);
        isRefused ||= refusal !== undefined;

        return refusal !== undefined && refusal.place < request.places ? refusal : undefined;
      };

      try {
        return await run(options);
      } finally {
        proxy.decide = undefined;
      }
    }

    async function placesOf(kind: Kind): Promise<{ at: number; place: number }[]> {
      add(kind);
      const places: { at: number; place: number }[] = [];
      let at = 0;
      proxy.decide = ({ statements, places: count }) => {
        at += 1;

        // PostgreSQL takes it in no message of several
        for (let place = 0; place < (/concurrently/.test(statements[0] ?? '') ? 1 : count); place += 1) {
          places.push({ at, place });
        }

        return undefined;
      };
      await run();
      proxy.decide = undefined;

      return places;
    }

    async function doneNow(kind: Kind): Promise<Map<string, string>> {
      const states = new Map<string, string>();

      for (const name of NAMES) {
        const [row] = await database.query<{ made: boolean; recorded: boolean }>(
          `select ${kind.made(n)} as made, exists (select from ${name}.mikro_orm_migrations where name = 'M${n}') as recorded`,
          [name],
        );
        const { made, recorded } = row ?? {};
        states.set(
          name,
          made === recorded ? (made === true ? 'done' : 'not done') : made === true && kind.mayLeave === true ? 'not done' : 'half done',
        );
      }

      return states;
    }

    function expectTold(
      { migrated, failed, notBegun, upToDate }: RunResult,
      done: ReadonlyMap<string, string>,
      { label, sqlState, kind }: { readonly label: string; readonly sqlState: string; readonly kind: Kind },
    ): void {
      const names = (results: readonly TenantRunResult[]): string[] => results.map(({ schemaName }) => schemaName);
      expect([...names(migrated), ...names(failed), ...notBegun].toSorted(), label).to.deep.equal(NAMES);
      expect(upToDate, label).to.equal(0);
      const told = new Map([
        ...names(migrated).map(name => [name, 'done'] as const),
        ...[...names(failed), ...notBegun].map(name => [name, 'not done'] as const),
      ]);
      expect(
        NAMES.map(name => [name, done.get(name)]),
        label,
      ).to.deep.equal(NAMES.map(name => [name, told.get(name)]));
      expect(failed.length, label).to.be.at.most(kind.mayLeave === true ? 1 : NAMES.length);
      failed.forEach(({ error }) => expect(inspect(error, { depth: 10 }), label).to.contain(sqlState));
    }

    async function sessionNow(): Promise<object | undefined> {
      const [session] = await set.orm.em
        .fork()
        .execute<object[]>(
          `select current_setting('search_path') as path, current_setting('role') as role, (select json_object_agg(name, setting) from pg_settings where source = 'session' and setting is distinct from reset_val) as settings`,
        );

      return session;
    }

    async function heldLocks(): Promise<number | undefined> {
      const [row] = await database.query<{ count: number }>(
        `select count(*)::int as count from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      );

      return row?.count;
    }
  },
  ['postgresql'],
);

function refuseFirst(statements: readonly string[], pattern: RegExp, sqlState: string): { place: number; sqlState: string } | undefined {
  const place = statements.findIndex(sql => pattern.test(sql));

  return place === -1 ? undefined : { place, sqlState };
}
