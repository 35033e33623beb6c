import { Client } from 'pg';
import { fleetProject, nameOf, schemaNameOf, stockProject, type Screen } from './fleet-project.ts';
import { median, round, type Report } from './report.ts';

/** `migration:up --tenants` of one tenant as a whole process, beside MikroORM's own `migration:up` of the same application without tenants. */
export async function cli(url: string): Promise<Report> {
  const stockUrl = new URL(url);
  stockUrl.pathname += '_stock';
  await admin(url, `create database "${stockUrl.pathname.slice(1)}"`);

  try {
    return await compare(url, stockUrl.href);
  } finally {
    await admin(url, `drop database "${stockUrl.pathname.slice(1)}" with (force)`);
  }
}

async function compare(url: string, stockUrl: string): Promise<Report> {
  await using ours = await fleetProject(url, 1);
  await using stock = await stockProject(stockUrl);
  const times = { pending: { ours: [] as number[], stock: [] as number[] }, nothing: { ours: [] as number[], stock: [] as number[] } };

  for (let n = 0; n < ROUNDS; n += 1) {
    const statements = [`alter table "item_0" add column "c${n}" int null`];
    await ours.write(nameOf(100 + n), statements);
    await stock.write(nameOf(100 + n), statements);

    for (const kind of ['pending', 'nothing'] as const) {
      // each is measured first equally often
      for (const which of n % 2 === 0 ? (['ours', 'stock'] as const) : (['stock', 'ours'] as const)) {
        const { code, ms, output } = await runOne(which);

        if (code !== 0) {
          throw new Error(output);
        }

        times[kind][which].push(ms);
      }
    }
  }

  return {
    title: `migration:up --tenants of one tenant (${schemaNameOf(0)}) as a process, beside stock migration:up`,
    rows: (['pending', 'nothing'] as const).map(kind => ({
      what: kind === 'pending' ? 'one migration to run' : 'nothing to do',
      'ours, ms': round(median(times[kind].ours), 0),
      'stock, ms': round(median(times[kind].stock), 0),
      ratio: round(median(times[kind].ours) / median(times[kind].stock)),
      'at most': 1.1,
      rounds: ROUNDS,
    })),
  };

  function runOne(which: 'ours' | 'stock'): Promise<Screen> {
    return which === 'ours' ? ours.run('migration:up', '--tenants') : stock.run('migration:up');
  }
}

async function admin(url: string, sql: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query(sql);
  await client.end();
}

const ROUNDS = 9;
