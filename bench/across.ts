import { acrossTenants } from '@landlord/mikro-orm';
import pMap from 'p-map';
import { migrationOf, Note, openOrm } from './domain.ts';
import { makeSchemas } from './migrate-tenants.ts';
import { median, round, scaled, timed, type Report } from './report.ts';
import { openPool } from './server.ts';

/** A count, and the first rows of all, over ten thousand tenants, beside the same statements over plain `pg`, whose names are known. */
export async function across(url: string): Promise<Report> {
  const tenants = scaled(10_000, 200);
  const orm = await openOrm(url, [migrationOf('Migration0', TABLE)], CONCURRENCY);
  const pool = openPool(url, CONCURRENCY);
  await makeSchemas(pool, 'a', {
    asTenants: true,
    count: tenants,
    statements: [...TABLE, `insert into "note" ("text") values ('one'), ('two'), ('three')`],
  });
  await pool.query('vacuum analyze');
  const names = Array.from({ length: tenants }, (_, n) => `a${n}`);
  const batches = Array.from({ length: Math.ceil(tenants / BATCH) }, (_, n) => names.slice(n * BATCH, (n + 1) * BATCH));
  const floorOf = (sql: (name: string) => string, around: (union: string) => string) => () =>
    pMap(batches, batch => pool.query(around(batch.map(sql).join(' union all '))), { concurrency: CONCURRENCY });
  const options = { reason: 'bench' };
  const works = {
    count: {
      ours: () => acrossTenants(Note, {}, options).count(),
      floor: floorOf(
        name => `select 1 from "${name}"."note"`,
        union => `select count(*) from (${union}) u`,
      ),
    },
    'first 10 by a column': {
      ours: () => acrossTenants(Note, { orderBy: { text: 'asc' }, limit: 10 }, options).toArray(),
      floor: floorOf(
        name => `(select id, text from "${name}"."note" order by text, id limit 10)`,
        union => `select * from (${union}) u order by text limit 10`,
      ),
    },
  };
  const rows: Report['rows'][number][] = [];

  for (const [name, work] of Object.entries(works)) {
    const times = { ours: [] as number[], floor: [] as number[] };
    const first = await timed(work.ours);
    await timed(work.floor);

    for (let n = 0; n < ROUNDS; n += 1) {
      for (const which of n % 2 === 0 ? (['ours', 'floor'] as const) : (['floor', 'ours'] as const)) {
        times[which].push(await timed(work[which]));
      }
    }

    rows.push({
      work: name,
      tenants,
      'ours, ms': round(median(times.ours)),
      'first time, ms': round(first),
      'at most, ms': name === 'count' ? 2_000 : '',
      'pg, ms': round(median(times.floor)),
      ratio: round(median(times.ours) / median(times.floor)),
      rounds: ROUNDS,
    });
  }

  await pool.end();
  await orm.close();

  return { title: `Reports over ${tenants} tenants, ${BATCH} a statement, ${CONCURRENCY} at once`, rows };
}

const TABLE = ['create table "note" ("id" serial primary key, "text" varchar(255) not null)'];
const BATCH = 100;
const CONCURRENCY = 4;
const ROUNDS = 3;
