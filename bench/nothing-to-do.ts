import { tenants } from '@landlord/mikro-orm';
import { migrationOf, openOrm } from './domain.ts';
import { BASE, makeSchemas } from './migrate-tenants.ts';
import { median, round, timed, type Report } from './report.ts';
import { openPool } from './server.ts';

/** A migration run that finds nothing to do in ten thousand tenants, after start-up, and the memory that it still uses afterwards. */
export async function nothingToDo(url: string): Promise<Report> {
  const orm = await openOrm(url, [migrationOf('Migration0', BASE)]);
  const pool = openPool(url, 4);
  await makeSchemas(pool, 'a', { asTenants: true, count: TENANTS });
  await pool.query('vacuum analyze');
  await pool.end();
  const run = (): Promise<unknown> => tenants(orm).migrate({ skipPublicCheck: true });
  const first = await timed(run);
  const before = heap();
  const times: number[] = [];

  for (let n = 0; n < ROUNDS; n += 1) {
    times.push(await timed(run));
  }

  const grown = heap() - before;
  await orm.close();

  return {
    title: `Nothing to do over ${TENANTS} tenants`,
    rows: [
      {
        'ms a tenant': round(median(times) / TENANTS, 4),
        'first run': round(first / TENANTS, 4),
        'at most': 0.02,
        'heap grown, MB': round(grown / 1_048_576),
        rounds: ROUNDS,
      },
    ],
  };
}

function heap(): number {
  globalThis.gc?.();

  return process.memoryUsage().heapUsed;
}

const TENANTS = 10_000;
/** Each of its connections gets to know all tenants meanwhile: which of them reads which is left to the pool. */
const ROUNDS = 9;
