import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runIn, succeeded, temporaryFolder, type Finished } from './installed-project.ts';

/** A program that installs packages, with folders and caches of its own. */
export interface PackageManager {
  /** Creates a project with these packages, then adds only the tarball, as a user would. Returns its folder. */
  project(dependencies: Readonly<Record<string, string>>, tarball: string): Promise<string>;
  /** Runs `node`, or a program of an installed package. */
  exec(folder: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Finished>;
}

export type ManagerName = keyof typeof MANAGERS;

/** The common package managers, each with its strictest setting: packages can import only their declared dependencies. */
const MANAGERS = {
  npm: { add: ['install', '--prefer-offline', '--no-audit', '--no-fund'], exec: ['exec', '--'] },
  // with `hoist`, packages could import undeclared dependencies
  'pnpm 12': { add: ['add', '--config.hoist=false'], exec: ['exec'] },
  'yarn 4, Plug’n’Play': { add: ['add'], exec: [], settings: 'nodeLinker: pnp\n' },
  'pnpm 10': { add: ['add', '--config.hoist=false'], exec: ['exec'] },
  'yarn 1': { add: ['add', '--no-progress'], exec: ['--silent'] },
  'yarn 4, node-modules': { add: ['add'], exec: [], settings: 'nodeLinker: node-modules\n' },
} satisfies Record<string, Commands>;

export const MANAGER_NAMES = Object.keys(MANAGERS) as ManagerName[];

/** Installs the package managers themselves from npm. */
export async function installManagers(): Promise<(name: ManagerName) => PackageManager> {
  const folder = temporaryFolder();
  const allowScripts = { pnpm: true, yarn: false };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: PACKAGES, allowScripts }));
  succeeded(await runIn(folder, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund']));
  const registry = succeeded(await runIn(folder, 'npm', ['config', 'get', 'registry'])).stdout.trim();
  const bin = (path: string): string => join(folder, 'node_modules', path);
  const programs: Record<ManagerName, readonly [string, ...string[]]> = {
    npm: ['npm'],
    'pnpm 10': ['node', bin('pnpm-10/bin/pnpm.cjs')],
    'pnpm 12': [bin('pnpm-12/pnpm')],
    'yarn 1': ['node', bin('yarn-1/bin/yarn.js')],
    'yarn 4, node-modules': ['node', bin('yarn-4/bin/yarn.js')],
    'yarn 4, Plug’n’Play': ['node', bin('yarn-4/bin/yarn.js')],
  };
  const env = {
    npm_config_registry: registry,
    npm_config_store_dir: join(folder, 'pnpm-store'),
    npm_config_cache_dir: join(folder, 'pnpm-cache'),
    YARN_CACHE_FOLDER: join(folder, 'yarn-cache'),
    YARN_GLOBAL_FOLDER: join(folder, 'yarn-global'),
    YARN_NPM_REGISTRY_SERVER: registry,
    YARN_ENABLE_TELEMETRY: '0',
  };

  return name => managerOf(programs[name], MANAGERS[name], env);
}

function managerOf([program, ...before]: readonly [string, ...string[]], commands: Commands, env: NodeJS.ProcessEnv): PackageManager {
  return {
    async project(dependencies, tarball) {
      const folder = join(temporaryFolder(), 'project');
      mkdirSync(folder);
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...CONSUMER, dependencies }));

      if (commands.settings !== undefined) {
        writeFileSync(join(folder, '.yarnrc.yml'), commands.settings);
        // without it, yarn 4 looks for a project in the parent folders
        writeFileSync(join(folder, 'yarn.lock'), '');
      }

      const name = commands.settings === undefined ? tarball : `@landlord/mikro-orm@file:${tarball}`;
      succeeded(await runIn(folder, program, [...before, ...commands.add, name], env));

      return folder;
    },
    exec: (folder, args, more) =>
      // `npm exec -- node` takes the machine's own Node, which may be too old for MikroORM
      program === 'npm' && args[0] === 'node'
        ? runIn(folder, process.execPath, args.slice(1), { ...env, ...more })
        : runIn(folder, program, [...before, ...commands.exec, ...args], { ...env, ...more }),
  };
}

const CONSUMER = { name: 'consumer', version: '1.0.0', private: true, type: 'module' };

const PACKAGES = {
  'pnpm-10': 'npm:pnpm@10.34.9',
  'pnpm-12': 'npm:pnpm@12.21.0',
  'yarn-1': 'npm:yarn@1.22.22',
  'yarn-4': 'npm:@yarnpkg/cli-dist@4.18.1',
};

interface Commands {
  readonly add: readonly string[];
  readonly exec: readonly string[];
  /** A `.yarnrc.yml`. */
  readonly settings?: string;
}
