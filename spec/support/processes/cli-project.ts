import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ROOT } from '../orm/library-orm.ts';
import { startOnTerminal, type TerminalProcess } from './terminal.ts';

export interface CliResult {
  readonly code: number | null;
  /** Standard output and error as they came, without colours. */
  readonly output: string;
  /** The same, separately. */
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that is running. */
export interface CliProcess {
  readonly ended: Promise<CliResult>;
  /** Its standard error so far. */
  stderr(): string;
  signal(name: NodeJS.Signals): void;
  /** Reads nothing of its standard output any more, like `head` that has its lines. */
  closeOutput(): void;
}

/** A project folder with a config, its entities and both migration sets, in which the command line is run as a process. */
export interface CliProject {
  readonly folder: string;
  run(...args: string[]): Promise<CliResult>;
  /** The same, without waiting for its end. */
  start(...args: string[]): CliProcess;
  /** The same on a terminal. */
  startOnTerminal(...args: string[]): TerminalProcess;
  /** Runs another program of the same node, for example the stock command line. */
  runProgram(program: string, ...args: string[]): Promise<CliResult>;
  /** Runs commands in one process, each by this package's command line or by MikroORM's own. */
  runAll(
    commands: readonly (readonly [line: 'ours' | 'stock', ...args: string[]])[],
  ): Promise<readonly Pick<CliResult, 'code' | 'output'>[]>;
  write(path: string, content: string): Promise<void>;
  files(path: string): Promise<string[]>;
  remove(): Promise<void>;
}

/** Creates a project for the database of this URL. It is inside the repository, so that it can import the packages. */
export async function createCliProject(url: string): Promise<CliProject> {
  await mkdir(join(ROOT, '.data'), { recursive: true });
  const folder = await mkdtemp(join(ROOT, '.data', 'cli-'));
  await cp(join(ROOT, 'fixtures/entities'), join(folder, 'entities'), { recursive: true });
  await cp(join(ROOT, 'migrations'), join(folder, 'migrations'), { recursive: true });
  await writeFile(join(folder, 'mikro-orm.config.ts'), CONFIG);
  await writeFile(join(folder, 'tsconfig.json'), '{ "extends": "../../tsconfig.json" }');

  const env = { ...process.env, DATABASE_URL: url, NO_COLOR: '1', MIKRO_ORM_COLORS: '0' };
  const program = join(ROOT, 'dist/cli/bin.js');

  return {
    folder,
    run: (...args) => start([program, ...args], folder, env).ended,
    start: (...args) => start([program, ...args], folder, env),
    startOnTerminal: (...args) => startOnTerminal([process.execPath, program, ...args], { cwd: folder, env }),
    runProgram: (other, ...args) => start([other, ...args], folder, env).ended,
    runAll: async commands => {
      const runner = join(ROOT, 'spec/support/processes/run-commands.mjs');
      const { stdout, output } = await start([runner, JSON.stringify(commands)], folder, env).ended;
      const results = stdout.split('\n').filter(line => line.startsWith('{"code"'));

      if (results.length < commands.length) {
        throw new Error(`Only ${results.length} of ${commands.length} commands have ended: ${output}`);
      }

      return results.map(line => JSON.parse(line) as CliResult);
    },
    write: async (path, content) => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    },
    files: async path => (await readdir(join(folder, path))).toSorted(),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function start(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): CliProcess {
  const child = spawn(process.execPath, args, { cwd, env });
  const [all, stdout, stderr]: [string[], string[], string[]] = [[], [], []];
  child.stdout.on('data', chunk => [all, stdout].forEach(chunks => chunks.push(String(chunk))));
  child.stderr.on('data', chunk => [all, stderr].forEach(chunks => chunks.push(String(chunk))));
  const textOf = (chunks: readonly string[]): string => chunks.join('').replaceAll(ANSI, '');

  return {
    stderr: () => textOf(stderr),
    signal: name => child.kill(name),
    closeOutput: () => child.stdout.destroy(),
    ended: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', code => resolve({ code, output: textOf(all), stdout: textOf(stdout), stderr: textOf(stderr) }));
    }),
  };
}

const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

const CONFIG = `
import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Author, Book, Genre, Library, Loan, LoanSummary, Member, Tag } from './entities/index.ts';

export default withTenants(
  defineConfig({
    baseDir: import.meta.dirname,
    entities: [Library, Genre, Author, Book, Tag, Member, Loan, LoanSummary],
    clientUrl: process.env.DATABASE_URL,
    migrations: { path: 'migrations/public', snapshotName: '.snapshot' },
  }),
  { tenant: Library, migrations: { path: 'migrations/tenant', snapshotName: '.snapshot' } },
);
`;
