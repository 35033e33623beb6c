import { tenants } from '@landlord/mikro-orm';
import pMap from 'p-map';
import { Pool } from 'pg';
import { HISTORY_TABLE, migrationOf, openOrm, type MigrationEntry } from './domain.ts';
import { median, round, timed, type Report } from './report.ts';

/** One new migration for 500 tenants, compared with the same statements over plain `pg` at the same concurrency. */
export async function migrateTenants(url: string): Promise<Report> {
  const list: MigrationEntry[] = [migrationOf('Migration0', BASE)];
  const orm = await openOrm(url, list, CONCURRENCY);
  const pool = new Pool({ connectionString: url, max: CONCURRENCY });
  await makeSchemas(pool, 'a', { asTenants: true });
  await makeSchemas(pool, 'b', { asTenants: false });
  const ours: number[] = [];
  const floor: number[] = [];

  for (let n = 1; n <= ROUNDS; n += 1) {
    const statements = [`alter table "item" add column "c${n}" int null`, `create index "item_c${n}_index" on "item" ("c${n}")`];
    list.push(migrationOf(`Migration${n}`, statements));
    const a = (): Promise<unknown> => tenants(orm).migrate({ skipPublicCheck: true, concurrency: CONCURRENCY });
    const b = (): Promise<unknown> =>
      pMap(names('b'), name => pool.query(scriptFor(name, [...statements, recordOf(n)])), { concurrency: CONCURRENCY });

    // each is measured first equally often
    if (n % 2 === 0) {
      ours.push(await timed(a));
      floor.push(await timed(b));
    } else {
      floor.push(await timed(b));
      ours.push(await timed(a));
    }
  }

  await pool.end();
  await orm.close();

  return {
    title: `One new migration (add column, add index) over ${TENANTS} tenants, ${CONCURRENCY} at once`,
    rows: [
      {
        'ours, ms a tenant': round(median(ours) / TENANTS, 3),
        'pg, ms a tenant': round(median(floor) / TENANTS, 3),
        ratio: round(median(ours) / median(floor)),
        'at most': 1.3,
        rounds: ROUNDS,
      },
    ],
  };
}

/** Creates schemas with one table and a history of one migration. */
export async function makeSchemas(
  pool: Pool,
  prefix: string,
  options: { asTenants: boolean; count?: number; from?: number },
): Promise<void> {
  await pMap(
    names(prefix, options.count, options.from),
    name =>
      pool.query(
        [
          'begin',
          ...(options.asTenants ? [`insert into "client" ("domain_url", "schema_name") values ('${name}.example.com', '${name}')`] : []),
          `create schema "${name}"`,
          `set local search_path to "${name}"`,
          HISTORY_TABLE,
          ...BASE,
          recordOf(0),
          'commit',
        ].join(';\n'),
      ),
    { concurrency: CONCURRENCY },
  );
}

export const BASE = ['create table "item" ("id" serial primary key, "name" varchar(255) not null)'];

function names(prefix: string, count = TENANTS, from = 0): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${from + n}`);
}

function scriptFor(schemaName: string, statements: readonly string[]): string {
  return ['begin', `set local search_path to "${schemaName}"`, ...statements, 'commit'].join(';\n');
}

function recordOf(n: number): string {
  return `insert into "mikro_orm_migrations" ("name") values ('Migration${n}')`;
}

const TENANTS = 500;
const CONCURRENCY = 4;
const ROUNDS = 7;
