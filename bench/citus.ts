import { runInTenant, tenants } from '@landlord/mikro-orm';
import { Client as PgClient } from 'pg';
import { migrationOf, Note, openOrm, type BenchOrm, type MigrationEntry } from './domain.ts';
import { median, round, scaled, timed, type Report } from './report.ts';

/**
 * Creation, a migration and requests on Citus beside PostgreSQL, in one run, and a move under load. Needs `CITUS_URL`, the coordinator, whose workers are
 * those of its database `postgres` or of the one that the URL names.
 */
export async function citus(url: string): Promise<readonly Report[]> {
  const given = process.env['CITUS_URL'] ?? '';
  const ports = (process.env['CITUS_WORKERS'] ?? '').split(',').filter(port => port !== '');

  if (given === '' || ports.length === 0) {
    return [
      { title: 'Citus: pending. Set CITUS_URL to the coordinator of a cluster, and CITUS_WORKERS to the ports of its workers.', rows: [] },
    ];
  }

  await using cluster = await openCluster(given, ports.map(Number));
  const plain = await measure(url);
  const sharded = await measure(cluster.url);
  const rows = Object.keys(plain.times).map(work => ({
    work,
    'PostgreSQL, ms': round(plain.times[work] ?? 0),
    'Citus, ms': round(sharded.times[work] ?? 0),
    ratio: round((sharded.times[work] ?? 0) / (plain.times[work] ?? 1)),
  }));
  const move = await moveUnderLoad(sharded.orm);
  await plain.orm.close();
  await sharded.orm.close();

  return [
    { title: `Citus with ${ports.length} workers beside PostgreSQL, ${TENANTS} tenants of 10 tables, milliseconds for each`, rows },
    { title: `${MOVES} moves of a tenant under load`, rows: [move] },
  ];
}

async function measure(url: string): Promise<{ readonly orm: BenchOrm; readonly times: Record<string, number> }> {
  const list: MigrationEntry[] = TEN_TABLES.map((sql, n) => migrationOf(`Migration${n}`, sql));
  list.push(migrationOf('Migration10', [NOTE]));
  const orm = await openOrm(url, list, POOL);
  const service = tenants(orm);
  const names = Array.from({ length: TENANTS }, (_, n) => `tenant_${n}`);
  const creations: number[] = [];

  for (const schemaName of names) {
    creations.push(await timed(() => service.create({ schemaName, domainUrl: `${schemaName.replaceAll('_', '-')}.example.com` })));
  }

  list.push(migrationOf('Migration11', ['alter table "item_0" add column "c" int null']));
  const run = await timed(() => service.migrate());
  const requests: number[] = [];

  for (let n = 0; n < REQUESTS; n += 1) {
    requests.push(await timed(() => runInTenant(names[n % names.length] ?? '', em => em.find(Note, {}), { orm })));
  }

  return {
    orm,
    times: {
      'create a tenant': median(creations),
      'one migration': run / TENANTS,
      'a request with one query': median(requests.slice(REQUESTS / 10)),
    },
  };
}

async function moveUnderLoad(orm: BenchOrm): Promise<Record<string, number>> {
  const service = tenants(orm);
  const schemaName = 'tenant_0';
  let isMoving = true;
  let errors = 0;
  let longest = 0;
  let requests = 0;
  const load = async (): Promise<void> => {
    while (isMoving) {
      const took = await timed(() =>
        runInTenant(schemaName, em => em.persistAndFlush(em.create(Note, { text: 'x' } as never)), { orm }).catch(() => {
          errors += 1;
        }),
      );
      longest = Math.max(longest, took);
      requests += 1;
    }
  };
  const loads = [load(), load(), load(), load()];
  const durations: number[] = [];

  for (let n = 0; n < MOVES; n += 1) {
    const places = await service.placement();
    const from = places.find(each => each.schemaName === schemaName)?.node;
    const to = places.find(({ node }) => node !== from)?.node ?? '';
    durations.push(await timed(() => service.move(schemaName, to)));
  }

  isMoving = false;
  await Promise.all(loads);

  return {
    'a move, ms': round(median(durations)),
    requests,
    errors,
    'longest request, ms': round(longest),
  };
}

async function openCluster(given: string, ports: readonly number[]): Promise<AsyncDisposable & { readonly url: string }> {
  const name = `landlord_bench_citus_${process.pid}`;
  const servers = [new URL(given).port, ...ports].map(port => Object.assign(new URL(given), { port: String(port) }).href);
  const urlOf = (server: string): string => Object.assign(new URL(server), { pathname: `/${name}` }).href;
  const own = 'set citus.enable_create_database_propagation to off';

  for (const server of servers) {
    await send(server, [own, `create database "${name}"`]);
    await send(urlOf(server), ['create extension citus']);
  }

  const [coordinator = ''] = servers;
  const { hostname, port } = new URL(coordinator);
  await send(urlOf(coordinator), [
    `select citus_set_coordinator_host('${hostname}', ${port})`,
    ...ports.map(each => `select citus_add_node('${hostname}', ${each})`),
  ]);

  return {
    url: urlOf(coordinator),
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        await send(server, [own, `drop database "${name}" with (force)`]);
      }
    },
  };
}

async function send(url: string, statements: readonly string[]): Promise<void> {
  const client = new PgClient({ connectionString: url });
  await client.connect();

  try {
    for (const sql of statements) {
      await client.query(sql);
    }
  } finally {
    await client.end();
  }
}

const TEN_TABLES = Array.from({ length: 10 }, (_, n) => [
  `create table "item_${n}" ("id" int generated by default as identity primary key, "name" varchar(255) not null${n > 0 ? `, "parent_id" int null references "item_${n - 1}" ("id")` : ''})`,
  `create index "item_${n}_name_index" on "item_${n}" ("name")`,
]);

const NOTE = 'create table "note" ("id" int generated by default as identity primary key, "text" varchar(255) not null)';

const TENANTS = scaled(40, 4);
const REQUESTS = scaled(1_000, 50);
const MOVES = scaled(4, 1);
const POOL = 4;
