import { Client as PgClient } from 'pg';
import { Client, creationScript, migrationsOf, openOrm, WORKLOADS, type Workload } from './domain.ts';
import { median, round, timed, type Report } from './report.ts';

/** Creating a tenant with `em.persistAndFlush`, compared with one hand-written script over plain `pg`. */
export async function createTenant(url: string): Promise<Report> {
  const rows: Report['rows'][number][] = [];

  for (const [name, workload] of Object.entries(WORKLOADS)) {
    rows.push(await measure(url, name, workload));
  }

  return { title: 'Create a tenant', rows };
}

async function measure(url: string, name: string, workload: Workload): Promise<Report['rows'][number]> {
  const orm = await openOrm(url, migrationsOf(workload));
  const pg = new PgClient(url);
  await pg.connect();
  const times: Record<'ours' | 'script', number[]> = { ours: [], script: [] };
  const create = {
    ours: (n: number) => orm.em.fork().persistAndFlush(new Client({ domainUrl: `${name}-a${n}.example.com`, schemaName: `${name}_a${n}` })),
    script: (n: number) => pg.query(creationScript(`${name}_b${n}`, workload.set)),
  };

  for (let n = 0; n < ROUNDS + WARM_UP; n += 1) {
    // each is measured first equally often
    for (const which of n % 2 === 0 ? (['ours', 'script'] as const) : (['script', 'ours'] as const)) {
      const ms = await timed(() => create[which](n));

      if (n >= WARM_UP) {
        times[which].push(ms);
      }
    }
  }

  await pg.end();
  await orm.close();

  return {
    workload: workload.title,
    'ours, ms': round(median(times.ours)),
    'script over pg, ms': round(median(times.script)),
    ratio: round(median(times.ours) / median(times.script)),
    'at most': 1.1,
    rounds: ROUNDS,
  };
}

const ROUNDS = 60;
const WARM_UP = 5;
