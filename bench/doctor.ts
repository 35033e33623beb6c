import { tenants } from '@landlord/mikro-orm';
import { defaultMaxTenants } from '../dist/tenant/connection-options.js';
import pMap from 'p-map';
import type { Pool } from 'pg';
import { creationScript, migrationsOf, openOrm, TEN_MIGRATIONS, type BenchOrm, type Workload } from './domain.ts';
import { median, round, scaled, timed, type Report } from './report.ts';
import { openPool, type BenchServer } from './server.ts';

/**
 * What the doctor and `usage` take over ten thousand tenants of ten tables, beside the least that answers such a question over plain `pg`: a pass over the
 * entries of the catalog, and the histories. The first time is that after a restart of the server.
 */
export async function doctor(url: string, _argument: string | undefined, server: Pick<BenchServer, 'restart'>): Promise<Report> {
  const count = scaled(10_000, 100);
  await makeTenants(url, count);
  await server.restart?.();

  return measureDoctor(url, count);
}

/** Creates the tenants by plain SQL, half of whose tables have large values. */
export async function makeTenants(url: string, count: number): Promise<void> {
  const orm = await openOrm(url, []);
  await orm.close();
  const pool = openPool(url, 4);
  await pMap(namesOf(count), name => pool.query(`${creationScript(name, WORKLOAD.set)};\n${markSql(name)}`), { concurrency: 4 });
  await pool.query('vacuum analyze');
  await pool.end();
}

export async function measureDoctor(url: string, count: number): Promise<Report> {
  const orm = await openOrm(url, migrationsOf(WORKLOAD), 10, {
    connections: { maxTenants: defaultMaxTenants(10, 10), memoryBudgetMb: 100_000 },
  });
  const pool = openPool(url, 1);
  const rows: Report['rows'][number][] = [];

  for (const { work, most, ours, floor, rounds } of worksOf(orm, pool, count)) {
    const [first, firstOfFloor] = [await timed(ours), await timed(floor)];
    const times = { ours: [] as number[], floor: [] as number[] };

    for (let n = 0; n < rounds; n += 1) {
      for (const which of n % 2 === 0 ? (['ours', 'floor'] as const) : (['floor', 'ours'] as const)) {
        times[which].push(await timed(which === 'ours' ? ours : floor));
      }
    }

    rows.push({
      work,
      'ours, s': round(median(times.ours) / 1000),
      'first time, s': round(first / 1000),
      'at most, s': most,
      'pg, s': round(median(times.floor) / 1000),
      'pg first, s': round(firstOfFloor / 1000),
      ratio: round(median(times.ours) / median(times.floor)),
      rounds,
    });
  }

  await pool.end();
  await orm.close();

  return { title: `${count} tenants of ten tables`, rows };
}

function worksOf(orm: BenchOrm, pool: Pool, count: number): readonly Work[] {
  const service = tenants(orm);
  const scan = (): Promise<unknown> => pool.query(SCAN);
  const some = namesOf(Math.min(500, count));
  const histories = async (names = namesOf(count)): Promise<void> => {
    for (let start = 0; start < names.length; start += 250) {
      const batch = names.slice(start, start + 250);
      await pool.query(batch.map(name => `select id, name from "${name}"."mikro_orm_migrations"`).join(' union all '));
    }
  };

  return [
    { work: 'usage, the 20 largest', most: 1, ours: () => service.usage({ limit: 20 }), floor: scan, rounds: 3 },
    {
      work: 'usage, the longest unused',
      most: 1,
      ours: () => service.usage({ limit: 20, orderBy: 'lastActivity' }),
      floor: scan,
      rounds: 3,
    },
    { work: 'usage, with exact bytes', most: 1, ours: () => service.usage({ limit: 20, exact: true }), floor: scan, rounds: 3 },
    {
      work: 'doctor',
      most: 10,
      ours: () => expectHealthy(service.doctor()),
      floor: async () => {
        await scan();
        await histories();
      },
      rounds: 3,
    },
    {
      work: `what they are, compared with the set, of ${some.length}`,
      most: '',
      ours: () => service.drift({ only: some }),
      floor: () => histories(some),
      rounds: 3,
    },
    {
      work: 'doctor, deep, of all',
      most: '',
      ours: () => expectHealthy(service.doctor({ deep: true })),
      floor: () => histories(),
      rounds: 1,
    },
  ];
}

async function expectHealthy(
  report: Promise<{ readonly findings: readonly { readonly kind: string; readonly message: string }[] }>,
): Promise<void> {
  const { findings } = await report;

  if (findings.length > 0) {
    throw new Error(`${findings.length} findings, such as ${JSON.stringify(findings[0])}`);
  }
}

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `tenant_${n}`);
}

export const WORKLOAD: Workload = {
  title: '10 tables, 5 with large values',
  set: TEN_MIGRATIONS.map((statements, n) => [
    ...statements,
    ...(n % 2 === 0 ? [`alter table "item_${n}" add column "text" text null`] : []),
  ]),
  next: () => [],
};

/** The mark of a schema that the library has created. */
function markSql(name: string): string {
  return `comment on schema "${name}" is 'tenant of @landlord/mikro-orm'`;
}

const SCAN = `select n.nspname, x.* from (select relnamespace, count(*), sum(relpages), sum(reltuples) from pg_class group by 1) x
  join pg_namespace n on n.oid = x.relnamespace`;

interface Work {
  readonly work: string;
  readonly most: number | string;
  readonly ours: () => Promise<unknown>;
  readonly floor: () => Promise<unknown>;
  readonly rounds: number;
}
