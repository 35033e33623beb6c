import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './library-orm.ts';

export interface CliResult {
  readonly code: number | null;
  /** Standard output and error as they came, without colours. */
  readonly output: string;
}

/** A project folder with a config, its entities and both migration sets, in which the command line is run as a process. */
export interface CliProject {
  readonly folder: string;
  run(...args: string[]): Promise<CliResult>;
  /** Runs another program of the same node, for example the stock command line. */
  runProgram(program: string, ...args: string[]): Promise<CliResult>;
  write(path: string, content: string): Promise<void>;
  files(path: string): Promise<string[]>;
  remove(): Promise<void>;
}

/** Makes a project that works on the database of this URL. It lies inside the repository, so that it finds the packages. */
export async function createCliProject(url: string): Promise<CliProject> {
  await mkdir(join(ROOT, '.data'), { recursive: true });
  const folder = await mkdtemp(join(ROOT, '.data', 'cli-'));
  await cp(join(ROOT, 'fixtures/entities'), join(folder, 'entities'), { recursive: true });
  await cp(join(ROOT, 'migrations'), join(folder, 'migrations'), { recursive: true });
  await writeFile(join(folder, 'mikro-orm.config.ts'), CONFIG);
  await writeFile(join(folder, 'tsconfig.json'), '{ "extends": "../../tsconfig.json" }');

  const runProgram = (program: string, ...args: string[]): Promise<CliResult> =>
    run([program, ...args], folder, { ...process.env, DATABASE_URL: url, NO_COLOR: '1', MIKRO_ORM_COLORS: '0' });

  return {
    folder,
    run: (...args) => runProgram(join(ROOT, 'dist/cli/bin.js'), ...args),
    runProgram,
    write: (path, content) => writeFile(join(folder, path), content),
    files: async path => (await readdir(join(folder, path))).toSorted(),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env });
    let output = '';
    child.stdout.on('data', chunk => (output += String(chunk)));
    child.stderr.on('data', chunk => (output += String(chunk)));
    child.on('error', reject);
    child.on('close', code => resolve({ code, output: output.replaceAll(ANSI, '') }));
  });
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
