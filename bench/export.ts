import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tenants } from '@landlord/mikro-orm';
import { Client as PgClient } from 'pg';
import { type Client, migrationsOf, openOrm, WORKLOADS, type Workload } from './domain.ts';
import { round, scaled, timed, type Report } from './report.ts';

/**
 * Export and import compared with `pg_dump` and `pg_restore` in the custom format, which compresses too. They have to be of the server's version: the
 * server from npm comes without, so name another one by `DATABASE_URL`. The argument says how many rows.
 */
export async function exportTenant(url: string, argument?: string): Promise<Report> {
  const count = Number(argument ?? ROWS);
  const orm = await openOrm(url, migrationsOf(Object.values(WORKLOADS)[0] as Workload));
  const pg = new PgClient(url);
  await pg.connect();
  const folder = await mkdtemp(join(tmpdir(), 'landlord-bench-'));
  const row = (n: string): { schemaName: string; domainUrl: string } => ({ schemaName: `file_${n}`, domainUrl: `file-${n}.example.com` });
  await tenants<Client>(orm).create(row('source'));
  await pg.query(`create table file_source.big (id bigint primary key, text text not null, at timestamptz default now())`);
  await pg.query(`insert into file_source.big (id, text) select n, md5(n::text) || md5((n + 1)::text) from generate_series(1, ${count}) n`);
  const run = promisify(execFile);
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50);
  const exported = await timed(() => tenants<Client>(orm).export('file_source', createWriteStream(ours)));
  const imported = await timed(() => tenants<Client>(orm).import(ours, row('copy')));
  clearInterval(watch);
  const grown = most - before;
  const dumped = await timed(() => run('pg_dump', ['--format=custom', '--schema=file_source', `--file=${theirs}`, url])).catch(
    () => Number.NaN,
  );
  await pg.query('alter schema file_source rename to file_aside');
  const restored = await timed(() => run('pg_restore', [`--dbname=${url}`, '--single-transaction', theirs])).catch(() => Number.NaN);
  const bytes = (await stat(ours)).size;
  await pg.end();
  await orm.close();
  await rm(folder, { recursive: true });

  return {
    title: 'Export and import, and pg_dump and pg_restore',
    rows: [
      {
        work: 'out',
        'ours, ms': round(exported),
        'pg_dump, ms': round(dumped),
        ratio: round(exported / dumped),
        rows: count,
        'file, MB': round(bytes / 1e6, 1),
      },
      {
        work: 'in',
        'ours, ms': round(imported),
        'pg_restore, ms': round(restored),
        ratio: round(imported / restored),
        rows: count,
        'memory, MB more': round(grown / 1e6, 0),
      },
    ],
  };
}

const ROWS = scaled(1_000_000, 1_000);
