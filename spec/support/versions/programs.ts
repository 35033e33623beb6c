import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Runs a program to its end, with what it prints. Resolves to its exit code. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<number> {
  const { folder = ROOT, env = {} } = options;
  const child = spawn(program, args, { cwd: folder, env: { ...process.env, ...env }, stdio: 'inherit' });
  // a terminal interrupts both, and what is temporary has to be removed when the other has ended
  const wait = (): void => undefined;
  const end = (): void => void child.kill('SIGTERM');
  process.on('SIGINT', wait).on('SIGTERM', end);

  try {
    const [code] = (await once(child, 'exit')) as [number | null];

    return code ?? 1;
  } finally {
    process.off('SIGINT', wait).off('SIGTERM', end);
  }
}

/** Runs the specs that the arguments for Mocha name, or all, by two processes. */
export function runSpecs(args: readonly string[], options: RunOptions & { readonly node?: string } = {}): Promise<number> {
  const { folder = ROOT, node = process.execPath } = options;
  const files = args.some(arg => arg.startsWith('spec/')) ? [] : ['spec/**/*.spec.ts'];
  const path = [dirname(node), join(folder, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter);

  return run(node, [join(folder, 'node_modules/mocha/bin/mocha.js'), '--parallel', '--jobs', '2', ...files, ...args], {
    folder,
    env: { PATH: path, ...options.env },
  });
}

/** Calls `fn` with an empty folder, and removes it afterwards. */
export async function inTemporaryFolder<Result>(fn: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'landlord-versions-')));
  // a server that is installed there may run as another user
  chmodSync(folder, 0o755);

  try {
    return await fn(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Installs a package into a folder, with the scripts of those packages that are named. */
export async function install(folder: string, dependencies: Record<string, string>, scriptsOf: readonly string[]): Promise<void> {
  const allowScripts = Object.fromEntries(scriptsOf.map(name => [name, true]));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies, allowScripts }));
  await npmInstall(folder);
}

export async function npmInstall(folder: string, ...options: readonly string[]): Promise<void> {
  const code = await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel', 'error', ...options], { folder });

  if (code !== 0) {
    throw new Error(`npm could not install the packages of ${folder}.`);
  }
}

/** The versions that the registry has of a package, newest first. */
export function publishedVersions(name: string): string[] {
  const versions = JSON.parse(execFileSync('npm', ['view', name, 'versions', '--json'], { encoding: 'utf8' })) as string | string[];

  return [versions].flat().toSorted((a, b) => compareVersions(b, a));
}

/** Compares by number each number in them. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** Runs a command of this folder: its arguments are the version, and those for Mocha. */
export async function main(usage: string, fn: (version: string, args: readonly string[]) => Promise<number>): Promise<void> {
  const [version, ...args] = process.argv.slice(2);

  if (version === undefined || !/^(?:\d[\d.]*|newest)$/.test(version)) {
    console.error(`Usage: ${usage} [arguments for Mocha]`);
    process.exitCode = 2;
    return;
  }

  process.exitCode = await fn(version, args);
}

interface RunOptions {
  readonly folder?: string;
  readonly env?: NodeJS.ProcessEnv;
}
