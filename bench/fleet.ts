import { loadavg } from 'node:os';
import { fleetProject, nameOf, schemaNameOf, type FleetProject, type Screen } from './fleet-project.ts';
import { round, type Report } from './report.ts';

/**
 * Each command of the command line over a fleet of tenants, as a process without a terminal: its time, and how much it prints. With `SCREENS=20` it
 * prints the first and the last 20 lines of each too.
 */
export async function fleet(url: string, argument?: string): Promise<Report> {
  const tenants = Number(argument ?? TENANTS);
  await using project = await fleetProject(url, tenants);
  const rows: Report['rows'][number][] = [];
  const run = async (title: string, ...args: readonly string[]): Promise<void> => {
    const screen = await project.run(...args);
    rows.push({ what: title, command: screen.command, ...measuresOf(screen) });
    show(title, screen);
  };

  await run('settings of the server', 'tenant:server');
  await run('nothing to do', 'migration:up', '--tenants');
  await run('all up-to-date', 'tenant:status');
  await run('all up-to-date', 'migration:list', '--tenants');
  await run('all up-to-date', 'migration:check', '--tenants');
  await run('all equal', 'migration:check', '--tenants', '--drift');

  await project.write(nameOf(100), ['alter table "item_0" add column "added" int null']);
  await run('one column to add', 'migration:pending', '--tenants');
  await run('one column to add', 'migration:check', '--tenants');
  await run('one column to add', 'migration:up', '--tenants', '--dry-run');
  await run('one column to add', 'migration:up', '--tenants');
  await project.pool.query(`drop index "${schemaNameOf(3)}"."item_1_name_index"`);
  await run('one index dropped by hand', 'migration:check', '--tenants', '--drift');

  await project.write(nameOf(200), ['alter table "itme_0" add column "typo" int null']);
  await run('a typo', 'migration:up', '--tenants');
  await project.delete(nameOf(200));

  await plantTrouble(project, tenants, async () => {
    await run('three kinds of trouble', 'tenant:status');
    await run('three kinds of trouble', 'migration:up', '--tenants', '--dry-run');
    await run('three kinds of trouble', 'migration:up', '--tenants');
    await run('three kinds of trouble', 'migration:check', '--tenants');
  });

  return { title: `A fleet of ${tenants} tenants, 12 tables and 15 migrations each`, rows };
}

/** A locked table, a schema that is gone, and a history that lacks a column, with one more migration to run. */
async function plantTrouble({ pool, write }: FleetProject, tenants: number, fn: () => Promise<void>): Promise<void> {
  await pool.query(`drop schema "${schemaNameOf(Math.floor(tenants / 2))}" cascade`);
  await pool.query(`alter table "${schemaNameOf(tenants - 1)}"."mikro_orm_migrations" rename column "name" to "nome"`);
  await write(nameOf(300), ['alter table "item_1" add column "added" int null']);
  const client = await pool.connect();

  try {
    await client.query(`set application_name to 'psql'; begin; select from "${schemaNameOf(5)}"."item_1"`);
    await fn();
    await client.query('rollback');
  } finally {
    client.release();
  }
}

function measuresOf({ code, ms, output }: Screen): Readonly<Record<string, string | number>> {
  return {
    exit: String(code),
    s: round(ms / 1000, 1),
    lines: output.split('\n').length - 1,
    bytes: Buffer.byteLength(output),
    load: round(loadavg()[0] ?? 0, 1),
  };
}

function show(title: string, { command, output }: Screen): void {
  const lines = Number(process.env['SCREENS'] ?? 0);

  if (lines > 0) {
    console.log(`\n$ mikro-orm ${command}   # ${title}`);
    const all = output.trimEnd().split('\n');
    console.log(all.length <= lines * 2 ? all.join('\n') : [...all.slice(0, lines), '…', ...all.slice(-lines)].join('\n'));
  }
}

const TENANTS = 3_000;
