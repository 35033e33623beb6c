import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { startMigrating } from '../../support/processes/migrate-process.ts';
import { openTenantSet, type TenantSet } from '../../support/orm/tenant-set.ts';
import { effort } from '../../support/generators/effort.ts';
import { randomNumbers } from '../../support/generators/random.ts';
import { REPLAY } from '../../support/generators/property.ts';

type Entry = readonly [name: string, ...statements: string[]];

const NAMES = Array.from({ length: 20 }, (_, n) => `t${String(n).padStart(2, '0')}`);
const KILLS = effort(6, 50);
const SEED = REPLAY.seed ?? 20_261_123;

/** Sessions of the child, which carry the name of the run while they migrate. */
const OF_CHILD = `(application_name = 'spec child' or application_name ~ '^landlord [0-9a-f]{4} ')`;

onDatabases(
  'a run that is killed',
  database => {
    const entries: Entry[] = [['M1', 'create table "tag" ("id" serial primary key, "name" varchar(255) not null unique)']];
    let set: TenantSet;

    before(async () => {
      set = await openTenantSet(database);
      await set.create(...NAMES);
    });

    it(`M6 leaves no tenant half-migrated, ${KILLS} times over (FC_SEED=${SEED}), and the next run does what is left`, async () => {
      const random = randomNumbers(SEED);
      let cut = 0;

      for (let kills = 0; kills < KILLS;) {
        // there is always work: the rest of the last run, or else a few new migrations
        if ((await migratedBy()).every(count => count === entries.length)) {
          addMigrations();
        }

        const before = sum(await migratedBy());
        const { process: child, ended } = startMigrating(database.url ?? '', entries);

        try {
          await somethingHappened(before, Math.floor(random() * 25), () => child.exitCode !== null);
        } finally {
          child.kill('SIGKILL');
        }

        const result = await ended;
        await noneInFlight();
        const counts = await migratedBy();
        expect(await disagreeing(), `after kill ${kills + 1}`).to.deep.equal([]);
        expect(result?.failed ?? []).to.deep.equal([]);

        if (result === undefined) {
          kills += 1;
          cut += counts.some(count => count < entries.length) ? 1 : 0;
        }
      }

      // otherwise the kills came too late to prove anything
      expect(cut).to.be.above(KILLS / 2);

      const last = await startMigrating(database.url ?? '', entries).ended;
      expect(last?.failed).to.deep.equal([]);
      expect((await migratedBy()).every(count => count === entries.length)).to.equal(true);
      expect(await disagreeing()).to.deep.equal([]);
    });

    // alternately migrations that are sent in one message, and others
    function addMigrations(): void {
      const reads = entries.length % 2 === 0 ? ['read'] : [];

      for (let n = 0; n < 3; n += 1) {
        const next = entries.length + 1;
        entries.push([
          `M${next}`,
          ...reads,
          `create table "before_${next}" ("id" int)`,
          'select pg_sleep(0.004)',
          `create table "after_${next}" ("id" int)`,
        ]);
      }
    }

    /** The number of migrations of each tenant. */
    async function migratedBy(): Promise<number[]> {
      const rows = await database.query<{ count: number }>(
        NAMES.map(name => `select count(*)::int as count from ${name}.mikro_orm_migrations`).join(' union all '),
      );

      return rows.map(({ count }) => count);
    }

    /** Tenants whose history does not match their tables: each migration except the first creates two. */
    async function disagreeing(): Promise<string[]> {
      const rows = await database.query<{ name: string; tables: string[] }>(
        `select schemaname::text as name, array_agg(tablename::text) as tables from pg_tables where schemaname ~ '^t[0-9]{2}$' and tablename ~ '^(before|after)_' group by 1`,
      );
      const tables = new Map(rows.map(row => [row.name, row.tables]));
      const histories = await database.query<{ schema: string; names: string[] }>(
        NAMES.map(name => `select '${name}' as schema, array_agg(name::text) as names from ${name}.mikro_orm_migrations`).join(
          ' union all ',
        ),
      );

      return histories
        .filter(({ schema, names }) => {
          const expected = names.filter(name => name !== 'M1').flatMap(name => [`before_${name.slice(1)}`, `after_${name.slice(1)}`]);
          return expected.toSorted().join() !== (tables.get(schema) ?? []).toSorted().join();
        })
        .map(({ schema }) => schema);
    }

    /** Waits until the run has finished a random number of migrations, from none to all, so that the kill can come at any moment. */
    async function somethingHappened(before: number, more: number, hasEnded: () => boolean): Promise<void> {
      while (!hasEnded() && !((await isAtWork()) && sum(await migratedBy()) >= before + more)) {
        await new Promise(resolve => setImmediate(resolve));
      }
    }

    async function isAtWork(): Promise<boolean> {
      return (await otherSessions(`and state = 'active'`)) > 0;
    }

    /** Ends the sessions of the killed client, in which the server may still run a whole migration. */
    async function noneInFlight(): Promise<void> {
      await database.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and ${OF_CHILD}`,
      );
      expect(await otherSessions('')).to.equal(0);
    }

    async function otherSessions(condition: string): Promise<number> {
      const [row] = await database.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where datname = current_database() and ${OF_CHILD} ${condition}`,
      );

      return row?.count ?? 0;
    }
  },
  ['postgresql'],
);

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Random numbers from 0 to 1, reproducible by their seed. */
