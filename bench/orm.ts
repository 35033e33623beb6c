import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findCounter, type Counter } from './counter.ts';
import type { Done, Order, Side } from './orm-process.ts';
import { WORKS } from './orm-works.ts';
import { median, round, scaled, type Report } from './report.ts';

/**
 * The ORM in a tenant's scope, compared with a fork of MikroORM alone on the same tables: the time of the processor, and the instructions. Each has
 * a process of its own, because this library changes classes of MikroORM in the process that it is loaded in.
 */
export async function orm(url: string, only?: string): Promise<Report> {
  const works = Object.keys(WORKS).filter(name => only === undefined || name.toLowerCase().includes(only.toLowerCase()));
  const times = await inTurns(url, works);
  const calls = await countCalls(url, works);
  const counts = await counted(url, works);
  const rows = works.map(work => {
    const { tenants, stock, ratio } = times.get(work) as Ratio;
    const instructions = counts?.of.get(work);
    const { calls: called, bytes } = calls.get(work) as CalledRatios;

    return {
      work,
      'µs of the processor': round(tenants, 1),
      'stock, µs': round(stock, 1),
      ratio: round(ratio, 3),
      calls: round(called.tenants),
      'stock, calls': round(called.stock),
      'ratio of calls': round(called.ratio, 3),
      'kB allocated': round(bytes.tenants / 1000, 1),
      'stock, kB': round(bytes.stock / 1000, 1),
      'ratio of kB': round(bytes.ratio, 3),
      ...(instructions === undefined
        ? {}
        : {
            'thousand instructions': round(instructions.tenants / 1000),
            'stock, thousand': round(instructions.stock / 1000),
            'their ratio': round(instructions.ratio, 3),
          }),
      'at most': 1.05,
    };
  });
  const worst = (row: (typeof rows)[number]): number => ('their ratio' in row ? (row['their ratio'] ?? 0) : row.ratio);

  return {
    title: `Work in a tenant's scope beside MikroORM alone${counts === undefined ? ', without a counter of instructions (install perf or valgrind)' : `, instructions by ${counts.by}`}`,
    rows: rows.toSorted((a, b) => worst(b) - worst(a)),
  };
}

async function inTurns(url: string, works: readonly string[]): Promise<ReadonlyMap<string, Ratio>> {
  const processes = { tenants: await start('tenants', url), stock: await start('stock', url) };
  const results = new Map<string, Ratio>();
  await Promise.all(SIDES.map(side => warmUp(processes[side], works)));

  for (const work of works) {
    const times = timesOf(work, PER_ROUND);
    const found: Record<Side, number[]> = { tenants: [], stock: [] };

    for (const side of SIDES) {
      await processes[side].order({ work, times });
    }

    for (let n = 0; n < ROUNDS; n += 1) {
      for (const side of n % 2 === 0 ? SIDES : SIDES.toReversed()) {
        found[side].push((await processes[side].order({ work, times })).µs);
      }
    }

    results.set(work, {
      tenants: median(found.tenants),
      stock: median(found.stock),
      // compared within a round, because a disturbance affects neighbouring measurements alike
      ratio: median(found.tenants.map((µs, n) => µs / (found.stock[n] ?? 1))),
    });
  }

  SIDES.forEach(side => processes[side].stop());

  return results;
}

/**
 * How many functions each work calls, and how much it allocates. Both hardly differ between two runs, and need no counter: instructions differ by how V8
 * has compiled the same functions in one process and in another.
 */
async function countCalls(url: string, works: readonly string[]): Promise<ReadonlyMap<string, CalledRatios>> {
  const found = { tenants: new Map<string, Done>(), stock: new Map<string, Done>() };

  for (const side of SIDES) {
    const { order, stop } = await start(side, url, ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']);

    for (const work of works) {
      const times = timesOf(work, COUNTED);
      const bytes: number[] = [];

      // what V8 has not compiled yet allocates more
      for (let n = 0; n < WARM_UP / COUNTED / 4; n += 1) {
        await order({ work, times });
      }

      for (let n = 0; n < COUNTS; n += 1) {
        bytes.push((await order({ work, times, isCollectedBefore: true })).bytes);
      }

      // last, as what is counted is not compiled any more
      found[side].set(work, { ...(await order({ work, times, countsCalls: true })), bytes: median(bytes) });
    }

    stop();
  }

  return new Map(
    works.map(work => {
      const ratioOf = (name: 'bytes' | 'calls'): Ratio => {
        const [tenants = NaN, stock = NaN] = SIDES.map(side => found[side].get(work)?.[name]);

        return { tenants, stock, ratio: tenants / stock };
      };

      return [work, { calls: ratioOf('calls'), bytes: ratioOf('bytes') }];
    }),
  );
}

async function counted(url: string, works: readonly string[]): Promise<{ by: string; of: ReadonlyMap<string, Ratio> } | undefined> {
  const counter = await findCounter();

  if (counter === undefined) {
    return undefined;
  }

  const [tenants, stock] = await Promise.all(
    // the first makes the tables, and no other process may be looking for them
    SIDES.map(async side => countSide(counter, await start(side, url, [], counter), works)),
  );
  await counter.close();
  const of = new Map(
    works.map(work => {
      const both = { tenants: tenants?.get(work) ?? NaN, stock: stock?.get(work) ?? NaN };

      return [work, { ...both, ratio: both.tenants / both.stock }];
    }),
  );

  return { by: counter.name, of };
}

/** The instructions of each work: the fewest of several counts, as V8 compiles some code again in one or the other, which takes more than the work. */
async function countSide(counter: Counter, counted: WorkProcess, works: readonly string[]): Promise<Map<string, number>> {
  const { pid, order, stop } = counted;
  const found = new Map<string, number>();
  await warmUp(counted, works);

  for (const work of works) {
    const times = timesOf(work, COUNTED);
    const counts: number[] = [];
    await order({ work, times });
    await counter.start(pid);
    await order({ work, times });

    for (let n = 0; n < COUNTS; n += 1) {
      counts.push((await counter.count(pid, () => order({ work, times }))) / times);
    }

    await counter.stop(pid);
    found.set(work, Math.min(...counts));
  }

  stop();

  return found;
}

/** V8 compiles what has run some thousands of times, and what it has seen of other works makes a difference. */
async function warmUp({ order }: WorkProcess, works: readonly string[]): Promise<void> {
  for (let n = 0; n < 4; n += 1) {
    for (const work of works) {
      await order({ work, times: timesOf(work, WARM_UP / 4) });
    }
  }
}

async function start(side: Side, url: string, flags: readonly string[] = [], counter?: Counter): Promise<WorkProcess> {
  const [execPath = process.execPath, ...execArgv] = counter?.command ?? [process.execPath, ...flags];
  const child: ChildProcess = fork(PROGRAM, [side, url], { execPath, execArgv });
  const answer = (): Promise<Done> =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`The process of ${side} has ended with ${code}`));
      child.once('exit', onExit);
      child.once('message', (done: Done & { error?: string }) => {
        child.off('exit', onExit);

        return done.error === undefined ? resolve(done) : reject(new Error(done.error));
      });
    });
  await answer();

  return {
    pid: child.pid as number,
    order: order => {
      child.send(order);

      return answer();
    },
    stop: () => child.disconnect(),
  };
}

function timesOf(work: string, times: number): number {
  return Math.max(2, Math.round(times * (WORKS[work]?.share ?? 1)));
}

const PROGRAM = fileURLToPath(new URL('orm-process.ts', import.meta.url));
const SIDES: readonly Side[] = ['tenants', 'stock'];
const ROUNDS = scaled(15, 3);
const PER_ROUND = scaled(400, 20);
const WARM_UP = scaled(6_000, 80);
const COUNTED = scaled(50, 10);
const COUNTS = scaled(7, 3);

interface CalledRatios {
  readonly calls: Ratio;
  readonly bytes: Ratio;
}

interface Ratio extends Record<Side, number> {
  readonly ratio: number;
}

interface WorkProcess {
  readonly pid: number;
  readonly order: (order: Order) => Promise<Done>;
  readonly stop: () => void;
}
