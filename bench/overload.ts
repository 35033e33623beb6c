import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tenantContext, type TenantLimits } from '@landlord/mikro-orm';
import Koa from 'koa';
import { hostsOf, makeTenants } from './apps.ts';
import { migrationOf, Note, openOrm } from './domain.ts';
import { startLoader, type LoadResult } from './load.ts';
import { median, round, scaled, type Report } from './report.ts';
import { openPool } from './server.ts';

/** What the others wait while one tenant sends many requests of a second each: without limits, and with them. */
export async function overload(url: string): Promise<Report> {
  await using others = startLoader();
  await using flooding = startLoader();
  const pool = openPool(url, 4);
  const rows: Record<string, number | string>[] = [];
  await (await openOrm(url, [migrationOf('Migration0', [])])).close();
  await makeTenants(pool, TENANTS);
  await pool.end();

  for (const [name, limits] of Object.entries(LIMITS)) {
    await using resources = new AsyncDisposableStack();
    const orm = await openOrm(url, [migrationOf('Migration0', [])], POOL, limits === undefined ? {} : { limits });
    resources.defer(() => orm.close());
    const app = new Koa().use(tenantContext({ orm })).use(async ctx => {
      ctx.body = ctx.path === '/slow' ? await orm.em.execute('select pg_catalog.pg_sleep(1)') : await orm.em.find(Note, {});
    });
    app.silent = true;
    const handle = app.callback();
    const server = createServer((req, res) => void handle(req, res)).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    resources.defer(async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const [flooder = '', ...hosts] = hostsOf(TENANTS);
    const round1 = (requests: number): Promise<LoadResult> => others.send({ port, hosts, requests, concurrency: CONCURRENCY });
    await round1(REQUESTS);
    const before = [await round1(REQUESTS), await round1(REQUESTS), await round1(REQUESTS)];
    const flood = flooding.send({ port, hosts: [flooder], requests: FLOOD, concurrency: FLOOD, path: '/slow', allows: [503] });
    // the flood has begun
    await new Promise(resolve => setTimeout(resolve, 300));
    const start = performance.now();
    const during: LoadResult[] = [];

    while (during.length < 3 && (during.length === 0 || performance.now() - start < 20_000)) {
      during.push(await round1(limits === undefined ? CONCURRENCY * 5 : REQUESTS));
    }

    const { refused } = await flood;
    const of = (list: readonly LoadResult[], key: 'p50' | 'p99'): number => median(list.map(each => each[key]));
    rows.push({
      limits: name,
      'p50 before, ms': round(of(before, 'p50')),
      'p50 during, ms': round(of(during, 'p50')),
      'p99 before, ms': round(of(before, 'p99')),
      'p99 during, ms': round(of(during, 'p99')),
      ratio: round(of(during, 'p99') / of(before, 'p99')),
      'at most': limits === undefined ? '' : 1.5,
      'of the flood: served': FLOOD - (refused ?? 0),
      'refused (503)': refused ?? 0,
    });
  }

  return { title: `${FLOOD} requests of one second by one tenant, and the others' requests with one query, a pool of ${POOL}`, rows };
}

const LIMITS: Readonly<Record<string, TenantLimits | undefined>> = {
  none: undefined,
  'half of the pool: {}': {},
  'concurrency: 2': { concurrency: 2 },
};

const POOL = 10;
const TENANTS = 101;
const CONCURRENCY = 4;
const REQUESTS = scaled(3_000, 300);
const FLOOD = scaled(1_000, 50);
