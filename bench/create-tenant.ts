import { Client as PgClient } from 'pg';
import { Client, creationScript, openOrm, TEN_MIGRATIONS, tenMigrations } from './domain.ts';
import { median, round, timed, type Report } from './report.ts';

/** Creating a tenant with `em.persistAndFlush`, compared with one hand-written script over plain `pg`. */
export async function createTenant(url: string): Promise<Report> {
  const orm = await openOrm(url, tenMigrations());
  const pg = new PgClient(url);
  await pg.connect();
  const ours: number[] = [];
  const floor: number[] = [];

  for (let n = 0; n < ROUNDS + WARM_UP; n += 1) {
    const a = await timed(() => orm.em.fork().persistAndFlush(new Client({ domainUrl: `a${n}.example.com`, schemaName: `a${n}` })));
    const b = await timed(() => pg.query(creationScript(`b${n}`, TEN_MIGRATIONS)));

    if (n >= WARM_UP) {
      ours.push(a);
      floor.push(b);
    }
  }

  await pg.end();
  await orm.close();

  return {
    title: 'Create a tenant: 10 tables, 10 migrations',
    rows: [
      {
        'ours, ms': round(median(ours)),
        'script over pg, ms': round(median(floor)),
        ratio: round(median(ours) / median(floor)),
        'at most': 1.25,
        rounds: ROUNDS,
      },
    ],
  };
}

const ROUNDS = 60;
const WARM_UP = 5;
