import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Migration } from '@mikro-orm/migrations';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import pMap from 'p-map';
import { Pool } from 'pg';
import { copyPackage } from '../packaging/join-modules.ts';
import { HISTORY_TABLE } from './domain.ts';

/** A project with a tenant set of 12 tables and 15 migrations, whose command line is run as an operator would, and its tenants. */
export interface FleetProject extends AsyncDisposable {
  readonly pool: Pool;
  readonly run: (...args: readonly string[]) => Promise<Screen>;
  /** Adds a migration of the tenant set. */
  readonly write: (name: string, statements: readonly string[]) => Promise<void>;
  readonly delete: (name: string) => Promise<void>;
}

/** What a command printed, and how long its process ran. */
export interface Screen {
  readonly command: string;
  readonly code: number | null;
  readonly ms: number;
  readonly output: string;
}

/** The same application without tenants, whose tables are in the public schema, on MikroORM's own command line. */
export async function stockProject(url: string): Promise<Pick<FleetProject, 'run' | 'write' | typeof Symbol.asyncDispose>> {
  const folder = await makeFolder();
  await writeFile(join(folder, 'mikro-orm.config.ts'), STOCK_CONFIG);
  const run = (...args: readonly string[]): Promise<Screen> => runCli(folder, url, args, join(ROOT, STOCK_CLI));
  const write = (name: string, statements: readonly string[]): Promise<void> =>
    writeFile(join(folder, 'public', `${name}.ts`), migrationFile(name, statements));
  await mustRun(run, ['migration:create']);

  for (let n = 1; n < MIGRATIONS; n += 1) {
    await write(nameOf(n), [`update "item_${n % TABLES}" set "name" = "name"`]);
  }

  await mustRun(run, ['migration:up']);

  return { run, write, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

export async function fleetProject(url: string, tenants: number): Promise<FleetProject> {
  const resources = new AsyncDisposableStack();
  const folder = await makeFolder();
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const pool = new Pool({ connectionString: url, max: 4 });
  resources.defer(() => pool.end());
  await writeFile(join(folder, 'mikro-orm.config.ts'), CONFIG);
  await mkdir(join(folder, 'node_modules/@landlord'), { recursive: true });
  await copyPackage(ROOT, join(folder, PACKAGE));
  const run = (...args: readonly string[]): Promise<Screen> => runCli(folder, url, args, join(folder, PACKAGE, 'dist/cli/bin.js'));
  const write = (name: string, statements: readonly string[]): Promise<void> =>
    writeFile(join(folder, 'tenant', `${name}.ts`), migrationFile(name, statements));

  // MikroORM's own generator writes the tables and the snapshot
  await mustRun(run, ['migration:create'], ['migration:up'], ['migration:create', '--tenants']);

  for (let n = 1; n < MIGRATIONS; n += 1) {
    await write(nameOf(n), [`update "item_${n % TABLES}" set "name" = "name"`]);
  }

  await makeTenants(pool, await readMigrations(join(folder, 'tenant'), url), tenants);
  await pool.query('vacuum analyze');

  return {
    pool,
    run,
    write,
    delete: name => rm(join(folder, 'tenant', `${name}.ts`)),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

export function schemaNameOf(n: number): string {
  return `t${String(n).padStart(4, '0')}`;
}

/** The name of the n-th migration after the first, in the form that MikroORM's generator gives them. */
export function nameOf(n: number): string {
  return `Migration2099010100${String(n).padStart(4, '0')}`;
}

// inside of the repository, so that it can import the packages. As a project of its own, it imports the package as it is published
async function makeFolder(): Promise<string> {
  await mkdir(join(ROOT, '.data'), { recursive: true });
  const folder = await mkdtemp(join(ROOT, '.data', 'fleet-'));
  // the stock command line runs only where it is a dependency
  await writeFile(join(folder, 'package.json'), '{ "name": "fleet", "type": "module", "dependencies": { "@mikro-orm/cli": "*" } }');
  await writeFile(join(folder, 'tsconfig.json'), '{ "extends": "../../tsconfig.json" }');

  return folder;
}

async function mustRun(run: FleetProject['run'], ...commands: readonly (readonly string[])[]): Promise<void> {
  for (const args of commands) {
    const { code, output } = await run(...args);

    if (code !== 0) {
      throw new Error(`mikro-orm ${args.join(' ')}: ${output}`);
    }
  }
}

function runCli(folder: string, url: string, args: readonly string[], cli: string): Promise<Screen> {
  const start = performance.now();
  const chunks: string[] = [];
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: folder,
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on('data', chunk => chunks.push(String(chunk)));
  child.stderr.on('data', chunk => chunks.push(String(chunk)));

  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', code => done({ command: args.join(' '), code, ms: performance.now() - start, output: chunks.join('') }));
  });
}

/** The statements of each migration, by the name of its file. */
async function readMigrations(folder: string, url: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const orm = await MikroORM.init(defineConfig({ clientUrl: url, entities: [], discovery: { warnWhenNoEntities: false } }));
  const migrations = new Map<string, readonly string[]>();

  for (const file of (await readdir(folder)).filter(name => name.endsWith('.ts')).toSorted()) {
    const exports = (await import(join(folder, file))) as Record<string, new (...args: unknown[]) => Migration>;
    const [migrationClass] = Object.values(exports);

    if (migrationClass !== undefined) {
      const migration = new migrationClass(orm.em.getDriver(), orm.config);
      await migration.up();
      migrations.set(file.replace('.ts', ''), migration.getQueries().map(String));
    }
  }

  await orm.close();

  return migrations;
}

async function makeTenants(pool: Pool, migrations: ReadonlyMap<string, readonly string[]>, tenants: number): Promise<void> {
  const statements = [...migrations].flatMap(([name, sql]) => [...sql, `insert into "mikro_orm_migrations" ("name") values ('${name}')`]);

  await pMap(
    Array.from({ length: tenants }, (_, n) => schemaNameOf(n)),
    name =>
      pool.query(
        [
          'begin',
          `insert into "client" ("domain_url", "schema_name") values ('${name}.example.com', '${name}')`,
          `create schema "${name}"`,
          `comment on schema "${name}" is 'tenant of @landlord/mikro-orm'`,
          `set local search_path to "${name}"`,
          HISTORY_TABLE,
          ...statements.map(sql => sql.replace(/;\s*$/, '')),
          'commit',
        ].join(';\n'),
      ),
    { concurrency: 4 },
  );
}

function migrationFile(name: string, statements: readonly string[]): string {
  return `import { Migration } from '@mikro-orm/migrations';

export class ${name} extends Migration {
  override up(): void {
${statements.map(sql => `    this.addSql(${JSON.stringify(sql)});`).join('\n')}
  }
}
`;
}

const ROOT = resolve(import.meta.dirname, '..');

const TABLES = 12;

const MIGRATIONS = 15;

const PACKAGE = 'node_modules/@landlord/mikro-orm';

const STOCK_CLI = 'node_modules/@mikro-orm/cli/cli.js';

const items = (schema: string): string => `
const items = [];

for (let n = 0; n < ${TABLES}; n += 1) {
  items.push(
    defineEntity({
      name: 'Item' + n,
      tableName: 'item_' + n,${schema}
      properties: {
        id: p.integer().primary(),
        name: p.string().index(),
        amount: p.integer().default(0),
        madeAt: p.datetime().defaultRaw('now()'),
        ...(n === 0 ? {} : { parent: () => p.manyToOne(items[n - 1]).nullable() }),
      },
    }),
  );
}
`;

const CONFIG = `
import { TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { defineConfig } from '@mikro-orm/postgresql';

class Client extends TenantMixin {}
const ClientSchema = defineEntity({ class: Client, tableName: 'client', extends: TenantMixin, properties: {} });
${items(" schema: '*',")}
export default withTenants(
  defineConfig({
    baseDir: import.meta.dirname,
    entities: [ClientSchema, ...items],
    clientUrl: process.env.DATABASE_URL,
    migrations: { path: 'public', snapshotName: '.snapshot' },
  }),
  { tenant: Client, migrations: { path: 'tenant', snapshotName: '.snapshot' } },
);
`;

const STOCK_CONFIG = `
import { defineEntity, p } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig } from '@mikro-orm/postgresql';
${items('')}
export default defineConfig({
  baseDir: import.meta.dirname,
  entities: items,
  extensions: [Migrator],
  clientUrl: process.env.DATABASE_URL,
  migrations: { path: 'public', snapshotName: '.snapshot' },
});
`;
