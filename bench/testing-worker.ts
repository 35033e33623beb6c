import { withTenants } from '@landlord/mikro-orm';
import { openTestKit } from '@landlord/mikro-orm/testing';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import { Client as PgClient } from 'pg';
import { Client, ClientSchema, creationScript, migrationOf, migrationsOf, NoteSchema, WORKLOADS } from './domain.ts';
import { timed } from './report.ts';

/** One worker of the bench: runs its tests in one way, and prints how long each took, beside what a test itself does. */
const [way = '', workload = 'small', count = '0'] = process.argv.slice(2);
const { set } = WORKLOADS[workload as keyof typeof WORKLOADS];
const url = process.env['DATABASE_URL'] ?? '';

const CLIENT_TABLE = `create table "client" ("id" serial primary key, "domain_url" varchar(255) not null unique, "schema_name" varchar(63) not null unique)`;

const WAYS: Readonly<Record<string, () => Promise<Measured>>> = {
  kit: () => ofKit({ readyTenants: 0, readyAtMost: 0 }),
  lacking: () => ofKit({ readyTenants: 0 }),
  ready: () => ofKit({ readyTenants: 1 }),
  copies,
  truncation,
};

const measured = await WAYS[way]?.();
console.log(JSON.stringify(measured));

async function ofKit(ready: { readonly readyTenants: number; readonly readyAtMost?: number }): Promise<Measured> {
  const orm = await MikroORM.init(
    withTenants(
      defineConfig({
        entities: [ClientSchema, NoteSchema],
        clientUrl: url,
        migrations: { migrationsList: [migrationOf('CreateClients', [CLIENT_TABLE])], silent: true },
      }),
      { tenant: Client, migrations: { migrationsList: migrationsOf(WORKLOADS[workload as keyof typeof WORKLOADS]) } },
    ),
  );
  const started = performance.now();
  // databases of its own, as another way would find the ready tenants of this one
  const kit = await openTestKit({ orm, ...ready, version: `${workload} ${JSON.stringify(ready)}` });
  const startMs = performance.now() - started;
  const testsMs: number[] = [];
  const before = process.cpuUsage();

  for (let test = 0; test < Number(count); test += 1) {
    testsMs.push(
      await timed(async () => {
        await kit.begin(`test ${test}`);
        await kit.testTenant();
        await kit.end();
      }),
    );
  }

  const { user, system } = process.cpuUsage(before);
  await kit.close();

  return { startMs, testsMs, cpuMs: (user + system) / 1000 / Number(count) };
}

/** A database for each test, copied from a template with one tenant, as pgtestdb does it. */
async function copies(): Promise<Measured> {
  const admin = new PgClient(url);
  await admin.connect();
  const started = performance.now();
  const template = `bench_copy_${workload}`;
  await admin.query('select pg_advisory_lock(1)');
  const { rows } = await admin.query('select 1 from pg_database where datname = $1', [template]);

  if (rows.length === 0) {
    await admin.query(`create database ${template}`);
    await withClient(template, client => makeTenant(client));
  }

  await admin.query('select pg_advisory_unlock(1)');
  const startMs = performance.now() - started;
  const testsMs: number[] = [];

  for (let test = 0; test < Number(count); test += 1) {
    const name = `bench_copy_${process.pid}_${test}`;
    testsMs.push(
      await timed(async () => {
        await admin.query(`create database ${name} template ${template} strategy ${process.env['STRATEGY'] ?? 'wal_log'}`);
        await withClient(name, client => client.query('select 1'));
        await admin.query(`drop database ${name}`);
      }),
    );
  }

  await admin.end();

  return { startMs, testsMs };
}

/** One tenant for all tests of the worker, whose tables are emptied after each. */
async function truncation(): Promise<Measured> {
  const admin = new PgClient(url);
  await admin.connect();
  const name = `bench_truncate_${process.pid}`;
  await admin.query(`create database ${name}`);
  const testsMs: number[] = [];
  const tables = set.flat().flatMap(sql => /^create table "(\w+)"/.exec(sql)?.[1] ?? []);

  await withClient(name, async client => {
    await makeTenant(client);

    for (let test = 0; test < Number(count); test += 1) {
      testsMs.push(
        await timed(async () => {
          await client.query(`truncate ${tables.map(table => `ready."${table}"`).join(', ')} restart identity cascade`);
        }),
      );
    }
  });
  await admin.query(`drop database ${name}`);
  await admin.end();

  return { startMs: 0, testsMs };
}

async function makeTenant(client: PgClient): Promise<void> {
  await client.query(CLIENT_TABLE);
  await client.query(creationScript('ready', set));
}

async function withClient(database: string, fn: (client: PgClient) => Promise<unknown>): Promise<void> {
  const own = new URL(url);
  own.pathname = `/${database}`;
  const client = new PgClient(own.href);
  await client.connect();

  try {
    await fn(client);
  } finally {
    await client.end();
  }
}

interface Measured {
  readonly startMs: number;
  readonly testsMs: readonly number[];
  /** What a test takes of the processor in this process, without the server's part. */
  readonly cpuMs?: number;
}
