import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { hostsOf, makeTenants } from './apps.ts';
import { openOrm, migrationOf } from './domain.ts';
import { startLoader } from './load.ts';
import { median, round, scaled, type Report } from './report.ts';

/** A request with one query by each edge, beside the same framework with MikroORM alone and a hard-wired fork, by the processor's time. */
export async function edges(url: string, only: string | undefined): Promise<Report> {
  const orm = await openOrm(url, [migrationOf('Migration0', [])]);
  await orm.close();
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  await makeTenants(pool, TENANTS);
  await pool.end();
  await using loader = startLoader();
  const rows: Report['rows'][number][] = [];

  for (const name of EDGES.filter(each => only === undefined || each === only)) {
    const apps = await Promise.all((['tenants', 'stock'] as const).map(side => start(name, side, url)));
    const costs: [number[], number[]] = [[], []];

    for (let round = -1; round < ROUNDS; round += 1) {
      for (const index of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        const app = apps[index] as Started;
        const before = await app.cpu();
        await loader.send({ port: app.port, hosts: hostsOf(TENANTS), requests: REQUESTS, concurrency: 16 });
        const cost = ((await app.cpu()) - before) / REQUESTS;

        // the first round is for V8 to compile
        if (round >= 0) {
          costs[index].push(cost);
        }
      }
    }

    apps.forEach(({ child }) => child.disconnect());
    rows.push({
      edge: name,
      'processor µs a request': round(median(costs[0]), 1),
      'MikroORM alone, µs': round(median(costs[1]), 1),
      // compared within a round, because a disturbance affects neighbouring measurements alike
      ratio: round(median(costs[0].map((cost, index) => cost / (costs[1][index] ?? 1))), 3),
      'at most': 1.05,
    });
  }

  return {
    title: 'A request with one query by each edge, beside the same framework with MikroORM alone, by the time of the processor',
    rows,
  };
}

async function start(name: string, side: string, url: string): Promise<Started> {
  const child = fork(fileURLToPath(new URL('edge-process.ts', import.meta.url)), [name, side, url]);
  const next = <Message>(): Promise<Message> => new Promise(resolve => child.once('message', resolve as (message: unknown) => void));
  const port = await next<number>();

  return {
    child,
    port,
    cpu: () => {
      child.send('cpu');

      return next<number>();
    },
  };
}

const EDGES = ['koa', 'express', 'fastify', 'hono', 'node'];

const TENANTS = 100;
const REQUESTS = scaled(10_000, 200);
const ROUNDS = scaled(5, 2);

interface Started {
  readonly child: ChildProcess;
  readonly port: number;
  /** The processor's time of the process, in microseconds. */
  readonly cpu: () => Promise<number>;
}
