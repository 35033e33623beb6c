import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
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
  /** Runs a command, in a process that has run former ones and has loaded all modules, and none of this project's that was written anew since. */
  run(...args: string[]): Promise<CliResult>;
  /** Starts a process of its own for a command. */
  start(...args: string[]): CliProcess;
  /** The same on a terminal. */
  startOnTerminal(...args: string[]): TerminalProcess;
  /** Runs another program of the same node, for example the stock command line. */
  runProgram(program: string, ...args: string[]): Promise<CliResult>;
  /** Runs commands like `run()`, each by this package's command line or by MikroORM's own. */
  runAll(commands: readonly (readonly [line: Line, ...args: string[]])[]): Promise<readonly CliResult[]>;
  write(path: string, content: string): Promise<void>;
  files(path: string): Promise<string[]>;
  remove(): Promise<void>;
}

type Line = 'ours' | 'stock' | 'leave';

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
  let loaded: CommandProcess | undefined;
  const run = (line: Line, args: readonly string[]): Promise<CliResult> => {
    loaded ??= commandsFor(folder, env);

    return loaded.run({ line, args, cwd: folder, env });
  };
  // modules that are loaded stay as they are
  const unload = async (): Promise<void> => {
    const former = loaded;
    loaded = undefined;
    await (former === undefined ? undefined : release(former, folder, env));
  };

  return {
    folder,
    run: (...args) => run('ours', args),
    start: (...args) => start([program, ...args], folder, env),
    startOnTerminal: (...args) => startOnTerminal([process.execPath, program, ...args], { cwd: folder, env }),
    runProgram: (other, ...args) => start([other, ...args], folder, env).ended,
    runAll: async commands => {
      const results: CliResult[] = [];

      for (const [line, ...args] of commands) {
        results.push(await run(line, args));
      }

      return results;
    },
    write: async (path, content) => {
      await unload();
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    },
    files: async path => (await readdir(join(folder, path))).toSorted(),
    remove: async () => {
      await unload();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface CommandProcess {
  /** The folders whose modules it may have loaded. */
  readonly served: Set<string>;
  run(command: Command): Promise<CliResult>;
  /** Whether it can go on with another project. */
  isFree(): boolean;
  end(): void;
}

interface Command {
  readonly line: Line;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * One that has loaded the packages, which takes longer than most commands, and nothing of this folder. A config that does not name its folder gets the one
 * in which MikroORM was loaded.
 */
function commandsFor(folder: string, env: NodeJS.ProcessEnv): CommandProcess {
  const namesFolder = readFileSync(join(folder, 'mikro-orm.config.ts'), 'utf8').includes('baseDir');
  const place = idle.findIndex(each => namesFolder && each.isFree() && !each.served.has(folder));
  const [found = startCommands(folder, env)] = place === -1 ? [] : idle.splice(place, 1);
  found.served.add(folder);

  return found;
}

async function release(commands: CommandProcess, cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const canStay = commands.isFree() && idle.length < AT_MOST && (await commands.run({ line: 'leave', args: [], cwd, env })).code === 0;

  if (canStay) {
    idle.push(commands);
  } else {
    commands.end();
  }
}

/** Those that wait for the next project of this process. */
const idle: CommandProcess[] = [];

const AT_MOST = 2;

function startCommands(cwd: string, env: NodeJS.ProcessEnv): CommandProcess {
  const child = spawn(process.execPath, [join(ROOT, 'spec/support/processes/run-commands.mjs')], {
    cwd,
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  // it ends with this process, which must not go on for it where a spec fails
  child.unref();
  child.channel?.unref();
  const waiting = new Map<number, (result: CliResult) => void>();
  const ready = once(child, 'message');
  let hasEnded = false;
  const ended = once(child, 'exit').then(([code]) => {
    hasEnded = true;
    throw new Error(`The process of the commands has ended with ${String(code)}.`);
  });
  // where nobody waits for a command
  ended.catch(() => undefined);
  let calls = 0;
  child.on('message', ({ id, code, output, stdout, stderr }: CliResult & { readonly id?: number }) => {
    const [plainOutput = '', plainStdout = '', plainStderr = ''] = [output, stdout, stderr].map(text => text?.replaceAll(ANSI, ''));
    waiting.get(id ?? -1)?.({ code, output: plainOutput, stdout: plainStdout, stderr: plainStderr });
    waiting.delete(id ?? -1);
  });
  const send = async (command: Command): Promise<CliResult> => {
    await ready;
    calls += 1;
    const id = calls;

    return new Promise(resolve => {
      waiting.set(id, resolve);
      child.send({ id, ...command });
    });
  };

  return {
    served: new Set(),
    run: command => Promise.race([send(command), ended]),
    isFree: () => !hasEnded && waiting.size === 0,
    end: () => void child.kill('SIGKILL'),
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
