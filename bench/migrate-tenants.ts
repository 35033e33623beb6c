import { tenants } from '@landlord/mikro-orm';
import pMap from 'p-map';
import type { Pool } from 'pg';
import { creationScript, HISTORY_TABLE, migrationOf, migrationsOf, openOrm, WORKLOADS, type Workload } from './domain.ts';
import { median, round, timed, type Report } from './report.ts';
import { openPool } from './server.ts';

/** One new migration for 400 tenants, of both workloads or of one that is named, compared with the same statements over plain `pg` at the same concurrency, a message and a transaction each. */
export async function migrateTenants(url: string, only?: string): Promise<Report> {
  const rows: Report['rows'][number][] = [];

  for (const [name, workload] of Object.entries({ small: WORKLOADS.small, users: WORKLOADS.users })) {
    if (only === undefined || only === name) {
      rows.push(await measure(url, name, workload));
    }
  }

  return { title: `One new migration over ${TENANTS} tenants, ${CONCURRENCY} at once`, rows };
}

async function measure(url: string, name: string, workload: Workload): Promise<Report['rows'][number]> {
  const list = migrationsOf(workload);
  const orm = await openOrm(url, list, CONCURRENCY);
  const pool = openPool(url, CONCURRENCY);
  const [a, b] = [names(`${name}_a`), names(`${name}_b`)];
  await pMap([...a, ...b], schemaName => pool.query(creationScript(schemaName, workload.set)), { concurrency: CONCURRENCY });
  await pool.query('vacuum analyze');
  const times: Record<'ours' | 'floor', number[]> = { ours: [], floor: [] };

  for (let n = 1; n <= ROUNDS; n += 1) {
    const statements = workload.next(n);
    const recorded = `Further${n}`;
    list.push(migrationOf(recorded, statements));
    const migrate = {
      ours: () => tenants(orm).migrate({ skipPublicCheck: true, concurrency: CONCURRENCY, only: a }),
      floor: () =>
        pMap(b, schemaName => pool.query(scriptFor(schemaName, [...statements, recordOf(recorded)])), { concurrency: CONCURRENCY }),
    };

    // each is measured first equally often
    for (const which of n % 2 === 0 ? (['ours', 'floor'] as const) : (['floor', 'ours'] as const)) {
      times[which].push(await timed(migrate[which]));
    }
  }

  await pool.end();
  await orm.close();

  return {
    'one more after': workload.title,
    'ours, ms a tenant': round(median(times.ours) / TENANTS, 3),
    'pg, ms a tenant': round(median(times.floor) / TENANTS, 3),
    ratio: round(median(times.ours) / median(times.floor)),
    'at most': 0.7,
    rounds: ROUNDS,
  };
}

/** Creates schemas with one table and a history of one migration. */
export async function makeSchemas(
  pool: Pool,
  prefix: string,
  options: { asTenants: boolean; count?: number; from?: number; statements?: readonly string[] },
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
          ...(options.statements ?? BASE),
          recordOf('Migration0'),
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

function recordOf(name: string): string {
  return `insert into "mikro_orm_migrations" ("name") values ('${name}')`;
}

const TENANTS = 400;
const CONCURRENCY = 4;
const ROUNDS = 7;
