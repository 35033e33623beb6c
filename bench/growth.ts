import pMap from 'p-map';
import { Client as PgClient } from 'pg';
import { Client, creationScript, migrationsOf, openOrm, WORKLOADS } from './domain.ts';
import { median, round, scaled, timed, type Report } from './report.ts';
import { openPool } from './server.ts';

/** Creating a tenant of ten tables beside a hand-written script over plain `pg`, with 10, 1,000 and 3,000 tenants in the database. */
export async function growth(url: string): Promise<Report> {
  const orm = await openOrm(url, migrationsOf(WORKLOADS.small));
  const pool = openPool(url, 4);
  const rows: Record<string, number>[] = [];
  let made = 0;

  for (const size of [10, scaled(1_000, 20), scaled(3_000, 30)]) {
    await pMap(
      Array.from({ length: size - made }, (_, n) => made + n),
      n => pool.query(creationScript(`s${n}`, WORKLOADS.small.set)),
      { concurrency: 4 },
    );
    made = size;
    await pool.query('vacuum analyze');
    await pool.query('checkpoint');
    const pg = new PgClient(url);
    await pg.connect();
    const ours: number[] = [];
    const script: number[] = [];

    for (let n = 0; n < ROUNDS + WARM_UP; n += 1) {
      const a = (): Promise<unknown> =>
        orm.em.fork().persistAndFlush(new Client({ domainUrl: `a${size}-${n}.example.com`, schemaName: `a${size}_${n}` }));
      const b = (): Promise<unknown> => pg.query(creationScript(`b${size}_${n}`, WORKLOADS.small.set));
      // each is measured first equally often
      const first = await timed(n % 2 === 0 ? a : b);
      const second = await timed(n % 2 === 0 ? b : a);

      if (n >= WARM_UP) {
        ours.push(n % 2 === 0 ? first : second);
        script.push(n % 2 === 0 ? second : first);
      }
    }

    await pg.end();
    rows.push({
      tenants: size,
      ours: median(ours),
      script: median(script),
      fastest: Math.min(...ours),
      fastestScript: Math.min(...script),
    });
  }

  await pool.end();
  await orm.close();

  return {
    title: `Create a tenant of 10 tables, by the number of tenants: median (and fastest) of ${ROUNDS}`,
    rows: rows.map(({ tenants = 0, ours = 0, script = 0, fastest = 0, fastestScript = 0 }) => ({
      tenants,
      'ours, ms': `${round(ours)} (${round(fastest)})`,
      'script over pg, ms': `${round(script)} (${round(fastestScript)})`,
      ratio: round(ours / script),
      'ours less script, ms': round(ours - script),
      'beside the first': round(ours / (rows[0]?.['ours'] ?? 1)),
      'script beside the first': round(script / (rows[0]?.['script'] ?? 1)),
    })),
  };
}

const ROUNDS = 40;
const WARM_UP = 5;
