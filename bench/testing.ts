import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startTestServer } from '@landlord/mikro-orm/testing';
import { median, round, scaled, type Report } from './report.ts';

/**
 * 500 tests of one tenant each in four workers: what the kit takes for each test, with tenants that it creates and with ready ones, beside a copy
 * of a template database for each test, and beside one tenant that is emptied after each.
 */
export async function testing(): Promise<Report> {
  // with the settings of a server for tests, such as no waiting for the disk: the same for each way
  const server = await startTestServer();

  try {
    return await measureAll(server.url);
  } finally {
    await server.close();
  }
}

async function measureAll(url: string): Promise<Report> {
  const rows: Report['rows'][number][] = [];

  for (const { title, way, workload, limit = '', tests = 500, env = {} } of WAYS) {
    // the first start makes the template
    await worker(url, { way, workload, count: 1, env });
    const count = Math.ceil(scaled(tests, 20) / WORKERS);
    const measured = await Promise.all(Array.from({ length: WORKERS }, () => worker(url, { way, workload, count, env })));
    // the first test of a worker warms up what is the ORM's, not the kit's
    const all = measured.flatMap(({ testsMs }) => testsMs.slice(1));
    const cpus = measured.flatMap(({ cpuMs }) => cpuMs ?? []);
    rows.push({
      way: title,
      'a test, ms (median)': round(median(all)),
      'a test, ms (mean)': round(all.reduce((sum, each) => sum + each, 0) / all.length),
      'processor of a worker, ms a test': cpus.length === 0 ? '' : round(median(cpus)),
      'at most': limit,
      'warm start of a worker, ms (median)': round(median(measured.map(({ startMs }) => startMs)), 0),
      tests: count * WORKERS,
    });
  }

  const alone: number[] = [];

  for (let start = 0; start < 5; start += 1) {
    alone.push((await worker(url, { way: 'ready', workload: 'small', count: 1, env: {} })).startMs);
  }

  rows.push({
    way: 'warm start of one worker alone',
    'a test, ms (median)': '',
    'a test, ms (mean)': '',
    'processor of a worker, ms a test': '',
    'at most': 150,
    'warm start of a worker, ms (median)': round(median(alone), 0),
    tests: alone.length,
  });

  return { title: 'A tenant in a test, 500 tests in four workers', rows };
}

async function worker(
  url: string,
  { way, workload, count, env }: { readonly way: string; readonly workload: string; readonly count: number; readonly env: object },
): Promise<{ readonly startMs: number; readonly testsMs: readonly number[]; readonly cpuMs?: number }> {
  const file = fileURLToPath(new URL('testing-worker.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file, way, workload, String(count)], {
    env: { ...process.env, ...env, DATABASE_URL: url },
  });

  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

const WORKERS = 4;

const WAYS: readonly {
  readonly title: string;
  readonly way: string;
  readonly workload: string;
  readonly limit?: number;
  readonly tests?: number;
  readonly env?: object;
}[] = [
  {
    title: 'the kit, a new tenant of 10 tables, after which the next test finds a ready one',
    way: 'lacking',
    workload: 'small',
    limit: 10,
  },
  { title: 'the kit, a new tenant of 10 tables in each test', way: 'kit', workload: 'small' },
  { title: 'the kit, a ready tenant of 10 tables', way: 'ready', workload: 'small', limit: 2 },
  { title: 'the kit, a ready tenant of 100 tables', way: 'ready', workload: 'large', limit: 2 },
  { title: 'a copy of a template database, 10 tables, wal_log', way: 'copies', workload: 'small', tests: 40 },
  {
    title: 'a copy of a template database, 10 tables, file_copy',
    way: 'copies',
    workload: 'small',
    tests: 40,
    env: { STRATEGY: 'file_copy' },
  },
  { title: 'a copy of a template database, 100 tables, wal_log', way: 'copies', workload: 'large', tests: 40 },
  {
    title: 'a copy of a template database, 100 tables, file_copy',
    way: 'copies',
    workload: 'large',
    tests: 40,
    env: { STRATEGY: 'file_copy' },
  },
  { title: 'truncation, 10 tables', way: 'truncation', workload: 'small' },
  { title: 'truncation, 100 tables', way: 'truncation', workload: 'large' },
];
