import { fork } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { APPS, hostsOf, startApps, type AppName, type Apps } from './apps.ts';
import { startLoader, type LoadResult } from './load.ts';
import { findCounter, type Counter } from './counter.ts';
import type { Side } from './orm-process.ts';
import { plot } from './plot.ts';
import { machine, median, round, scaled, type Report } from './report.ts';

/**
 * A request with one query, compared with the same application without this library. Also by the number of tenants, and with the memory that
 * is still used afterwards. Writes the plot to `docs/`.
 */
export async function request(url: string, only?: string): Promise<Report[]> {
  await using loader = startLoader();
  await using apps = await startApps(url, only === ALONE ? 100 : (SIZES.at(-1) as number), { max: HELD });
  const load = (app: AppName, tenants: number, requests: number): Promise<LoadResult> =>
    loader.send({ port: apps.ports[app], hosts: hostsOf(tenants), requests, concurrency: CONCURRENCY });

  if (only === ALONE) {
    return [await besideAlone(url, loader)];
  }

  for (const app of APPS) {
    await load(app, 100, REQUESTS);
  }

  return [await compare(load), await besideAlone(url, loader), await bySize(load, apps), await inMemory(load)];
}

async function compare(load: Loader): Promise<Report> {
  const wall = new Map<AppName, number[]>(APPS.map(app => [app, []]));
  const cpu = new Map<AppName, number[]>(APPS.map(app => [app, []]));

  for (let n = 0; n < ROUNDS; n += 1) {
    // each application is measured first equally often
    for (const app of APPS.map((_, index) => APPS[(index + n) % APPS.length] as AppName)) {
      const before = process.cpuUsage();
      const { ms } = await load(app, 100, REQUESTS);
      const { user, system } = process.cpuUsage(before);
      wall.get(app)?.push((ms * 1000) / REQUESTS);
      cpu.get(app)?.push((user + system) / REQUESTS);
    }
  }

  const floor = 'hard-wired fork';
  const ratio = (of: typeof wall, app: AppName): number =>
    // compared within a round, because a disturbance affects neighbouring measurements alike
    round(median((of.get(app) ?? []).map((value, n) => value / (of.get(floor)?.[n] ?? 1))), 3);

  return {
    title: `A request with one query, 100 tenants in rotation, ${CONCURRENCY} at once`,
    rows: APPS.map(app => ({
      app,
      'µs a request': round(median(wall.get(app) ?? []), 1),
      ratio: ratio(wall, app),
      'µs of the processor': round(median(cpu.get(app) ?? []), 1),
      'its ratio': ratio(cpu, app),
      'at most': app === 'tenantContext' ? 1.05 : '',
      rounds: ROUNDS,
    })),
  };
}

/** Each application in a process of its own, in turns, by the clock and by the processor; and by instructions, five times. */
async function besideAlone(url: string, loader: ReturnType<typeof startLoader>): Promise<Report> {
  const sides = ['tenants', 'stock'] as const;
  const send = (port: number, requests: number, concurrency = CONCURRENCY): Promise<LoadResult> =>
    loader.send({ port, hosts: hostsOf(100), requests, concurrency });
  const apps = { tenants: await startApp('tenants', url), stock: await startApp('stock', url) };
  const clock = { tenants: [] as number[], stock: [] as number[] };

  for (let n = -2; n < ROUNDS; n += 1) {
    for (const side of n % 2 === 0 ? sides : sides.toReversed()) {
      const { ms } = await send(apps[side].port, REQUESTS);
      // the first rounds are for V8 to compile
      clock[side].push(...(n < 0 ? [] : [(ms * 1000) / REQUESTS]));
    }
  }

  sides.forEach(side => apps[side].stop());
  const counter = await findCounter();
  const instructions: number[][] = [];

  for (const side of counter === undefined ? [] : sides) {
    instructions.push(await countRequests(counter as Counter, side, url, (port, requests) => send(port, requests, 2)));
  }

  await counter?.close();
  const [ours = [], floor = []] = instructions;

  return {
    title: `A request with one query beside the same application on MikroORM alone with a hard-wired fork, each in a process of its own${counter === undefined ? '' : `, instructions by ${counter.name}`}`,
    rows: [
      {
        'µs a request': round(median(clock.tenants), 1),
        'MikroORM alone, µs': round(median(clock.stock), 1),
        // compared within a round, because a disturbance affects neighbouring measurements alike
        ratio: round(median(clock.tenants.map((value, n) => value / (clock.stock[n] ?? 1))), 3),
        ...Object.fromEntries(ours.map((count, n) => [`by instructions, ${n + 1}`, round(count / (floor[n] ?? NaN), 3)])),
        'at most': 1.05,
      },
    ],
  };
}

async function countRequests(
  counter: Counter,
  side: Side,
  url: string,
  send: (port: number, requests: number) => Promise<unknown>,
): Promise<number[]> {
  const { pid, port, stop } = await startApp(side, url, counter);
  const counts: number[] = [];
  await send(port, WARM_UP);
  await counter.start(pid);
  await send(port, COUNTED);

  for (let n = 0; n < 5; n += 1) {
    counts.push((await counter.count(pid, () => send(port, COUNTED))) / COUNTED);
  }

  await counter.stop(pid);
  stop();

  return counts;
}

async function startApp(side: Side, url: string, counter?: Counter): Promise<AppProcess> {
  const [execPath = process.execPath, ...execArgv] = counter?.command ?? [process.execPath];
  const child = fork(fileURLToPath(new URL('request-process.ts', import.meta.url)), [side, url], { execPath, execArgv });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', resolve as (message: unknown) => void);
    child.once('exit', code => reject(new Error(`The application of ${side} has ended with ${code}`)));
  });

  return { pid: child.pid as number, port, stop: () => child.disconnect() };
}

interface AppProcess {
  readonly pid: number;
  readonly port: number;
  readonly stop: () => void;
}

async function bySize(load: Loader, { orm }: Apps): Promise<Report> {
  const results = new Map(SIZES.map(size => [size, { ours: [] as LoadResult[], floor: [] as LoadResult[] }]));

  for (let n = 0; n < ROUNDS; n += 1) {
    for (const size of SIZES) {
      results.get(size)?.ours.push(await load('tenantContext', size, REQUESTS));
      results.get(size)?.floor.push(await load('hard-wired fork', size, REQUESTS));
    }
  }

  const of = (list: readonly LoadResult[], name: 'p50' | 'p99'): number => round(median(list.map(result => result[name])), 3);
  const rows = SIZES.map(size => {
    const { ours = [], floor = [] } = results.get(size) ?? {};

    return {
      tenants: size,
      'p50, ms': of(ours, 'p50'),
      'p99, ms': of(ours, 'p99'),
      'hard-wired, p50, ms': of(floor, 'p50'),
      'hard-wired, p99, ms': of(floor, 'p99'),
    };
  });
  const [server] = await orm.em
    .fork()
    .execute<{ version: string }[]>(`select split_part(current_setting('server_version'), ' ', 1) as version`);
  await mkdir('docs', { recursive: true });
  await writeFile('docs/request.svg', plot(rows, machine(server?.version ?? '')));

  return { title: 'A request with one query, by the number of tenants', rows };
}

async function inMemory(load: Loader): Promise<Report> {
  const rows: Report['rows'][number][] = [];
  const size = SIZES.at(-1) as number;

  for (let done = 0; done < IN_ALL;) {
    await load('tenantContext', size, IN_ALL / 4);
    done += IN_ALL / 4;
    globalThis.gc?.();
    rows.push({ requests: done, tenants: size, 'held at most': HELD, 'heap, MB': round(process.memoryUsage().heapUsed / 1_048_576, 1) });
  }

  return { title: 'What requests leave in memory', rows };
}

type Loader = (app: AppName, tenants: number, requests: number) => Promise<LoadResult>;

/** The argument by which nothing but an application beside MikroORM alone is measured. */
const ALONE = 'alone';
const CONCURRENCY = 16;
const SIZES = [10, 100, 1_000, scaled(10_000, 2_000)];
const HELD = scaled(10_000, 2_000);
const REQUESTS = scaled(10_000, 500);
const ROUNDS = scaled(15, 3);
const WARM_UP = scaled(8_000, 100);
const COUNTED = scaled(400, 30);
const IN_ALL = scaled(200_000, 8_000);
