import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { currentSchema, tenantContext, type ConnectionOptions } from '@landlord/mikro-orm';
import Koa from 'koa';
import { defaultMaxTenants } from '../dist/tenant/connection-options.js';
import pMap from 'p-map';
import type { Pool } from 'pg';
import { hostsOf } from './apps.ts';
import { migrationOf, Note, openOrm } from './domain.ts';
import { startLoader, type Load, type LoadResult } from './load.ts';
import { round, scaled, type Report } from './report.ts';
import { openPool } from './server.ts';

/**
 * What the server's processes of a pool of ten keep in memory after requests to many tenants of ten tables, and how long the requests take: with
 * the pool as `pg` makes it, and with `connections`. `npm run bench -- memory 2000:4` has so many
 * tenants, and so many requests at once.
 */
export async function memory(url: string, argument?: string): Promise<Report[]> {
  const [count = scaled(10_000, 200), ...concurrencies] = argument?.split(':').map(Number) ?? [];
  await using loader = startLoader();
  const pool = openPool(url, 4, OBSERVER);
  const orm = await openOrm(url, [migrationOf('Migration0', [])]);
  await orm.close();
  await makeTenants(pool, count);
  const reports: Report[] = [];

  for (const concurrency of concurrencies.length > 0 ? concurrencies : CONCURRENCIES) {
    for (const [traffic, hosts] of Object.entries({ uniform: uniform(count), 'Zipf-like': zipf(count) })) {
      const rows: Record<string, number | string>[] = [];

      for (const [name, connections] of Object.entries(modesFor(count))) {
        rows.push({
          pool: name,
          ...(await measure({ url, pool, send: load => loader.send(load), hosts, connections, concurrency, count })),
        });
      }

      const [floor] = rows;
      reports.push({
        title: `${count} tenants of ten tables, a pool of ten, ${concurrency} requests at once, ${traffic}: memory and milliseconds`,
        rows: rows.map(row => ({ ...row, 'of the first': round(Number(row['MB']) / Number(floor?.['MB'])) })),
      });
    }
  }

  await pool.end();

  return reports;
}

async function measure({ url, pool, send, hosts, connections, concurrency, count }: Measured): Promise<Record<string, number>> {
  await using resources = new AsyncDisposableStack();
  const orm = await openOrm(url, [migrationOf('Migration0', [])], 10, { connections, directory: { max: 20_000 } });
  resources.defer(() => orm.close());
  const native = (await orm.em.getConnection().getNativeClient()) as Pool;
  let opened = 0;
  native.on('connect', () => (opened += 1));
  const app = new Koa();
  app.use(tenantContext({ orm })).use(async ctx => {
    ctx.body = ctx.path === '/all' ? await orm.em.execute(allTablesOf(currentSchema() ?? '')) : await orm.em.find(Note, {});
  });
  const handle = app.callback();
  const server = createServer((req, res) => void handle(req, res)).listen(0, '127.0.0.1');
  resources.defer(async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });
  await new Promise(resolve => server.once('listening', resolve));
  const load = (list: readonly string[], requests: number, path = '/'): Promise<LoadResult> =>
    send({ port: (server.address() as AddressInfo).port, hosts: list, requests, concurrency, path });
  const burst = { port: (server.address() as AddressInfo).port, hosts: hostsOf(10), requests: 500, concurrency: 40, path: '/all' };

  const ten = hostsOf(10);
  // opens all connections of the pool, as any burst does
  await send(burst);
  const before = opened;
  await load(hosts, count * PASSES, '/all');
  const few: LoadResult[] = [];
  const many: LoadResult[] = [];

  // in turns, so that a disturbance affects both
  for (let n = 0; n < ROUNDS; n += 1) {
    few.push(await load(ten, REQUESTS));
    many.push(await load(hosts.slice((n * REQUESTS) % (hosts.length / 2)), REQUESTS));
  }

  const replaced = opened - before;
  const sizes = await Promise.all((await backendsOf(pool)).map(privateBytesOf));
  const middle = (list: readonly LoadResult[], key: 'p50' | 'p99'): number =>
    list.map(each => each[key]).toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0;

  return {
    connections: sizes.length,
    opened: replaced,
    MB: round(sizes.reduce((sum, size) => sum + size, 0) / 1_048_576, 0),
    'MB of the largest': round(Math.max(...sizes) / 1_048_576, 0),
    p50: round(middle(many, 'p50'), 3),
    p99: round(middle(many, 'p99'), 3),
    'p50 beside ten tenants': round(middle(many, 'p50') / middle(few, 'p50')),
    'p99 beside ten tenants': round(middle(many, 'p99') / middle(few, 'p99')),
  };
}

/** The server's processes that work for requests. */
export async function backendsOf(pool: Pool): Promise<readonly number[]> {
  const { rows } = await pool.query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = current_database() and application_name <> '${OBSERVER}' and query not like 'listen%' and query <> 'select 1'`,
  );

  return rows.map(({ pid }) => pid);
}

/** Without what all processes of the server share. */
export async function privateBytesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');

  return [...text.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, [, kB]) => sum + Number(kB) * 1024, 0);
}

function allTablesOf(schema: string): string {
  return `select ${TABLES.map(table => `(select count(*) from "${schema}"."${table}")`).join(' + ')} as n`;
}

async function makeTenants(pool: Pool, count: number): Promise<void> {
  await pMap(
    hostsOf(count).map(host => host.slice(0, host.indexOf('.'))),
    name =>
      pool.query(
        [
          'begin',
          `insert into "client" ("domain_url", "schema_name") values ('${name}.example.com', '${name}')`,
          `create schema "${name}"`,
          ...TABLES.map(table => `create table "${name}"."${table}" ("id" int primary key, "text" varchar(255) not null)`),
          `insert into "${name}"."note" ("id", "text") values (1, 'of ${name}')`,
          'commit',
        ].join(';\n'),
      ),
    { concurrency: 4 },
  );
  await pool.query('vacuum analyze pg_class, pg_attribute, pg_index, pg_namespace, pg_type, pg_constraint, pg_depend, client');
}

function uniform(count: number): string[] {
  const random = randomOf(1);

  return Array.from({ length: count * PASSES }, () => hostOf(Math.floor(random() * count)));
}

/** The n-th tenant has the n-th part of the requests of the first. */
function zipf(count: number): string[] {
  const random = randomOf(2);
  let sum = 0;
  const upTo = Array.from({ length: count }, (_, n) => (sum += 1 / (n + 1)));

  return Array.from({ length: count * PASSES }, () => {
    const wanted = random() * sum;
    let [low, high] = [0, count - 1];

    while (low < high) {
      const middle = (low + high) >> 1;
      [low, high] = (upTo[middle] ?? 0) < wanted ? [middle + 1, high] : [low, middle];
    }

    return hostOf(low);
  });
}

function hostOf(n: number): string {
  return `t${n}.example.com`;
}

/** The same numbers in every run. */
function randomOf(seed: number): () => number {
  let state = seed;

  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;

    return state / 2 ** 32;
  };
}

interface Measured {
  readonly url: string;
  readonly pool: Pool;
  readonly send: (load: Load) => Promise<LoadResult>;
  readonly hosts: readonly string[];
  readonly connections: ConnectionOptions;
  readonly concurrency: number;
  readonly count: number;
}

/** The entities of this bench are fewer than its tables, so the default is counted here: with fewer tenants, its part of them. */
function modesFor(count: number): Readonly<Record<string, ConnectionOptions>> {
  const maxTenants = Math.ceil((defaultMaxTenants(TABLES.length, 10) * count) / 10_000);

  return {
    'as pg makes it': { preferServed: false, maxTenants: false },
    'preferServed alone': { maxTenants: false },
    [`maxTenants: ${maxTenants} alone`]: { preferServed: false, maxTenants },
    'both (the default at 10,000)': { maxTenants },
    [`both, maxTenants: ${Math.ceil(maxTenants / 4)}`]: { maxTenants: Math.ceil(maxTenants / 4) },
  };
}

/** The application name of a connection that is not counted. */
export const OBSERVER = 'bench observer';
const TABLES = ['note', ...Array.from({ length: 9 }, (_, n) => `item_${n}`)];
const CONCURRENCIES = [4, 16];
const REQUESTS = scaled(1_000, 200);
const ROUNDS = scaled(7, 3);
/** How often each tenant is asked for. */
const PASSES = 6;
