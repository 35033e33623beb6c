import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';
import type { Rewrite } from './renames.ts';

/** Whether an ORM started, and the error that it did not, or that its first query failed with. */
export interface Started {
  readonly hasStarted: boolean;
  readonly code?: string;
  readonly message?: string;
}

/** Starts ORMs in a process whose packages are written anew. */
export async function startOrms(rewrites: readonly Rewrite[]): Promise<{ readonly byNew: Started; readonly byInit: Started }> {
  const { stdout, stderr } = await run(rewrites, join(FOLDER, 'start-orm.mjs'));

  return JSON.parse(stdout === '' ? JSON.stringify(stderr) : stdout) as Awaited<ReturnType<typeof startOrms>>;
}

/** Runs the command line in such a process, where there is no config. */
export async function runCommandLine(rewrites: readonly Rewrite[], ...args: string[]): Promise<Ended> {
  return run(rewrites, join(ROOT, 'dist/cli/bin.js'), ...args);
}

/** Asks, in a process that nothing watches, whether the library knows the code of the packages. */
export async function tryKnownCode(): Promise<Record<string, { isKnown: boolean; count: number; unnoticed: unknown[] }>> {
  const { stdout, stderr } = await run([], join(FOLDER, 'try-known-code.mjs'));

  return JSON.parse(stdout === '' ? JSON.stringify(stderr) : stdout) as Awaited<ReturnType<typeof tryKnownCode>>;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(rewrites: readonly Rewrite[], ...command: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', join(FOLDER, 'rename-sources.mjs'), ...command], {
    cwd: command.length === 1 ? ROOT : tmpdir(),
    env: { ...process.env, REWRITES: JSON.stringify(rewrites), NO_COLOR: '1', MIKRO_ORM_COLORS: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.setEncoding('utf8').toArray(),
    child.stderr.setEncoding('utf8').toArray(),
    new Promise<number | null>(resolve => child.once('close', resolve)),
  ]);

  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

const FOLDER = join(ROOT, 'spec/support/seams');
