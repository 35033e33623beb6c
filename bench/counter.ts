import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Counts the instructions of a process, in user space. They do not depend on what else the machine does. */
export interface Counter {
  readonly name: string;
  /** The program that the process is to be started with, and its arguments before those of Node. */
  readonly command: readonly string[];
  /** Counts the instructions of `process` while `work` runs. */
  count(pid: number, work: () => Promise<unknown>): Promise<number>;
  /** Begins to observe the process, once it has warmed up. */
  start(pid: number): Promise<void>;
  stop(pid: number): Promise<void>;
  close(): Promise<void>;
}

/** The processor's own counter, by `perf`, else `valgrind`. Undefined where there is neither, and with `BENCH_COUNTER=none`. */
export async function findCounter(): Promise<Counter | undefined> {
  if (process.env['BENCH_COUNTER'] === 'none') {
    return undefined;
  }

  // a virtual machine often has no such counter, which `perf` tells in its output alone
  const perf = spawnSync('perf', ['stat', '-x,', '-e', EVENT, 'true'], { encoding: 'utf8' });

  if (perf.status === 0 && instructionsIn(perf.stderr) !== undefined) {
    return perfCounter();
  }

  return spawnSync('valgrind', ['--version']).status === 0 ? valgrindCounter() : undefined;
}

function perfCounter(): Counter {
  return {
    name: 'perf',
    command: [process.execPath],
    start: async () => undefined,
    stop: async () => undefined,
    count: async (pid, work) => {
      const perf = spawn('perf', ['stat', '-x,', '-e', EVENT, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
      let told = '';
      perf.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
      // it says nothing when it has attached itself
      await new Promise(resolve => setTimeout(resolve, 200));
      await work();
      const ended = new Promise(resolve => perf.once('close', resolve));
      perf.kill('SIGINT');
      await ended;

      return instructionsIn(told) ?? NaN;
    },
    close: async () => undefined,
  };
}

async function valgrindCounter(): Promise<Counter> {
  const folder = await mkdtemp(join(tmpdir(), 'landlord-bench-count-'));
  const dumpOf = (pid: number): string => join(folder, `${pid}`);
  const tell = async (pid: number, ...command: readonly string[]): Promise<void> => {
    await promisify(execFile)('vgdb', [`--pid=${pid}`, ...command]);
  };

  return {
    name: 'valgrind',
    command: [
      'valgrind',
      '--tool=callgrind',
      // warming up is ten times faster without
      '--instr-atstart=no',
      // V8 writes code where it has written other code
      '--smc-check=all-non-file',
      `--callgrind-out-file=${folder}/%p`,
      '--log-file=/dev/null',
      process.execPath,
      '--single-threaded',
    ],
    start: pid => tell(pid, 'instrumentation', 'on'),
    stop: pid => tell(pid, 'instrumentation', 'off'),
    count: async (pid, work) => {
      await tell(pid, 'zero');
      await work();
      const before = await filesOf(folder, pid);
      await tell(pid, 'dump');
      const file = (await filesOf(folder, pid)).find(each => !before.includes(each));
      const text = await readFile(join(folder, file ?? dumpOf(pid)), 'utf8');

      return Number(/^totals: (\d+)/m.exec(text)?.[1]);
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function filesOf(folder: string, pid: number): Promise<string[]> {
  return (await readdir(folder)).filter(each => each.startsWith(`${pid}`));
}

function instructionsIn(text: string): number | undefined {
  const found = /^(\d+),[^\n]*instructions/m.exec(text)?.[1];

  return found === undefined ? undefined : Number(found);
}

const EVENT = 'instructions:u';
