import { tenants } from '@landlord/mikro-orm';
import { Client as PgClient } from 'pg';
import { type Client, migrationsOf, openOrm, WORKLOADS, type Workload } from './domain.ts';
import { median, round, scaled, timed, type Report } from './report.ts';

/** A clone without rows compared with creating a tenant, and a clone with rows compared with `insert … select` by hand. The argument says how many rows. */
export async function clone(url: string, argument?: string): Promise<readonly Report[]> {
  const empty: Report['rows'][number][] = [];

  for (const [name, workload] of Object.entries(WORKLOADS)) {
    empty.push(await withoutRows(url, { name, workload }));
  }

  return [
    { title: 'Clone a tenant without rows, and create one', rows: empty },
    { title: 'Clone a tenant with rows, and copy them by hand', rows: [await withRows(url, Number(argument ?? ROWS))] },
  ];
}

async function withoutRows(
  url: string,
  { name, workload }: { readonly name: string; readonly workload: Workload },
): Promise<Report['rows'][number]> {
  const orm = await openOrm(url, migrationsOf(workload));
  const row = (n: string): { schemaName: string; domainUrl: string } => ({
    schemaName: `clone_${name}_${n}`,
    domainUrl: `clone-${name}-${n}.example.com`,
  });
  await tenants<Client>(orm).create(row('source'));
  const times: Record<'clone' | 'create', number[]> = { clone: [], create: [] };

  for (let n = 0; n < ROUNDS; n += 1) {
    times.create.push(await timed(() => tenants<Client>(orm).create(row(`a${n}`))));
    times.clone.push(await timed(() => tenants<Client>(orm).clone(row('source').schemaName, row(`b${n}`), { data: 'none' })));
  }

  await orm.close();

  return {
    workload: workload.title,
    'clone, ms': round(median(times.clone)),
    'create, ms': round(median(times.create)),
    ratio: round(median(times.clone) / median(times.create)),
    rounds: ROUNDS,
  };
}

async function withRows(url: string, count: number): Promise<Report['rows'][number]> {
  const orm = await openOrm(url, migrationsOf(Object.values(WORKLOADS)[0] as Workload));
  const pg = new PgClient(url);
  await pg.connect();
  const row = (n: string): { schemaName: string; domainUrl: string } => ({ schemaName: `rows_${n}`, domainUrl: `rows-${n}.example.com` });
  await tenants<Client>(orm).create(row('source'));
  await pg.query(`create table rows_source.big (id bigint primary key, text text not null, at timestamptz default now())`);
  await pg.query(`create index big_text on rows_source.big (text)`);
  await pg.query(`insert into rows_source.big (id, text) select n, md5(n::text) || md5((n + 1)::text) from generate_series(1, ${count}) n`);
  const { rows } = await pg.query(`select pg_total_relation_size('rows_source.big') as bytes`);
  const times: Record<'clone' | 'hand', number[]> = { clone: [], hand: [] };

  for (let n = 0; n < 3; n += 1) {
    times.clone.push(await timed(() => tenants<Client>(orm).clone('rows_source', row(`b${n}`))));
    times.hand.push(
      await timed(() =>
        pg.query(
          `begin; create schema hand_${n}; create table hand_${n}.big (id bigint not null, text text not null, at timestamptz default now());
          insert into hand_${n}.big select * from rows_source.big; alter table hand_${n}.big add primary key (id);
          create index on hand_${n}.big (text); commit`,
        ),
      ),
    );
  }

  await pg.end();
  await orm.close();

  return {
    workload: `${count} rows, ${round(Number(rows[0].bytes) / 1_000_000, 0)} MB with indexes`,
    'clone, ms': round(median(times.clone)),
    'by hand, ms': round(median(times.hand)),
    ratio: round(median(times.clone) / median(times.hand)),
    rounds: 3,
  };
}

const ROUNDS = scaled(20, 2);

const ROWS = scaled(1_000_000, 1_000);
