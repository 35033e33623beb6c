import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { joinModules } from '../../packaging/join-modules.ts';
import { linkFolder, oncePerRun } from '../support/processes/once-per-run.ts';
import packageJson from '../../package.json' with { type: 'json' };

/** A user's project: the packed package and its dependencies, installed by npm into an empty folder. */
export interface InstalledProject {
  readonly folder: string;
  readonly tarball: string;
  /** The files in the tarball, as listed by npm. */
  readonly files: readonly string[];
  /** Runs a program in the project's folder. Only the project's own bins are on the path. */
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Finished>;
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The project with all optional peers. Created once per run. */
export function fullProject(): Promise<InstalledProject> {
  full ??= install('full', [
    ...pinned('@koa/router', 'koa', '@types/koa', '@types/node', 'typescript'),
    ...pinned('@nestjs/common', '@nestjs/core', '@opentelemetry/api', '@types/express', 'fastify', 'hono', 'reflect-metadata', 'rxjs'),
    ...pinned('@mikro-orm/cli', '@mikro-orm/core', '@mikro-orm/decorators', '@mikro-orm/migrations'),
    ...pinned('@electric-sql/pglite', '@mikro-orm/pglite', '@mikro-orm/postgresql'),
  ]);

  return full;
}

/** The project with the PostgreSQL driver and no other optional peer. Created once per run. */
export function bareProject(): Promise<InstalledProject> {
  bare ??= install('bare', pinned('@mikro-orm/cli', '@mikro-orm/core', '@mikro-orm/migrations', '@mikro-orm/postgresql', 'typescript'));

  return bare;
}

/** Copies a user's own files into a project. */
export function addFiles(project: Pick<InstalledProject, 'folder'>, folder: 'cli-project' | 'consumer' | 'server-project'): void {
  cpSync(fileURLToPath(new URL(folder, import.meta.url)), project.folder, { recursive: true });
}

let full: Promise<InstalledProject> | undefined;
let bare: Promise<InstalledProject> | undefined;

async function install(name: string, packages: readonly string[]): Promise<InstalledProject> {
  const { tarball, files } = await packedPackage();
  const installed = await oncePerRun(`installed-${name}`, async folder => {
    await installInto(realpathSync(folder), [tarball, ...packages]);

    return {};
  });
  const folder = temporaryFolder();
  linkFolder(join(installed.folder, 'node_modules'), join(folder, 'node_modules'));
  ['package.json', 'package-lock.json'].forEach(file => copyFileSync(join(installed.folder, file), join(folder, file)));

  return { folder, tarball, files, run: (command, args, env) => runIn(folder, command, args, env) };
}

async function installInto(folder: string, packages: readonly string[]): Promise<void> {
  // if the specs run on several versions of MikroORM packages, the project gets one version of each
  const { overrides } = packageJson as { readonly overrides?: object };
  const manifest = { name: 'consumer', version: '1.0.0', private: true, type: 'module', overrides };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  succeeded(await runIn(folder, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--save-exact', ...packages]));
}

/** The tarball as npm would publish it, with the list of its files. Packed once per run. */
export function packedPackage(): Promise<Packed> {
  return oncePerRun('packed', pack);
}

// in a copy and without `prepack`, which would rebuild `dist` while other specs import it
async function pack(folder: string): Promise<Packed> {
  const copy = join(folder, 'package');
  ['dist', 'package.json', 'LICENSE', 'README.md', ...packageJson.files.filter(path => /^[/\w]/.test(path) && path !== 'dist')].forEach(
    path => cpSync(join(ROOT, path), join(copy, path), { recursive: true }),
  );
  await joinModules(copy);
  const { stdout } = succeeded(await runIn(copy, 'npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]));
  const [report] = Object.values<PackReport>(JSON.parse(stdout));

  if (report === undefined) {
    throw new Error(`npm packed nothing: ${stdout}`);
  }

  return { tarball: join(folder, report.filename), files: report.files.map(({ path }) => path) };
}

/** Runs a program in a folder. Only the folder's own bins are on the path. */
export function runIn(cwd: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return new Promise(resolve => {
    execFile(command, args, { cwd, env: { ...userEnvironment(cwd), ...env }, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
  });
}

/** The environment without the variables of `npm test` and the specs, but with the same Node, because another may be too old. */
function userEnvironment(folder: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|command|config_local_prefix)|INIT_CWD$|MIKRO_ORM_(?!ALLOW_VERSION_MISMATCH)|DATABASE_URL$|NODE_OPTIONS$)/.test(
        name,
      ),
  );
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(entry => !/node_modules[\\/]\.bin/.test(entry));

  return { ...Object.fromEntries(own), PATH: [join(folder, 'node_modules/.bin'), dirname(process.execPath), ...path].join(delimiter) };
}

export function succeeded(finished: Finished): Finished {
  if (finished.code !== 0) {
    throw new Error(`exit code ${finished.code}\n${finished.stdout}\n${finished.stderr}`);
  }

  return finished;
}

/** A folder that is removed after a successful run. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'landlord-package-')));

  if (folders.push(folder) === 1) {
    process.once('exit', removeFolders);
  }

  return folder;
}

function removeFolders(code: number): void {
  for (const folder of code === 0 ? folders : []) {
    rmSync(folder, { recursive: true, force: true });
  }
}

const folders: string[] = [];

function pinned(...names: readonly (keyof typeof packageJson.devDependencies)[]): string[] {
  return names.map(name => `${name}@${packageJson.devDependencies[name]}`);
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export type Packed = Pick<InstalledProject, 'tarball' | 'files'>;

interface PackReport {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}
