import { expect } from 'chai';
import { cpSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDatabase } from '../support/databases/database.ts';
import { addFiles, fullProject, succeeded, type InstalledProject } from './installed-project.ts';

const PROGRAMS = ['mikro-orm', 'mikro-orm-tenants'] as const;

describe('the command in a project of a user', () => {
  let project: InstalledProject;
  let database: Awaited<ReturnType<typeof createDatabase>>;

  before(async () => {
    project = await fullProject();
    addFiles(project, 'cli-project');
    addFiles(project, 'server-project');
    database = await createDatabase('the command in a project');
  });

  after(() => database.close());

  it('G2 is this package under both its names, where the stock command line is installed too', () => {
    const bins = PROGRAMS.map(name => realpathSync(join(project.folder, 'node_modules/.bin', name)));

    expect(new Set(bins)).to.deep.equal(new Set([join(project.folder, 'node_modules/@landlord/mikro-orm/dist/cli/bin.js')]));
  });

  for (const program of PROGRAMS) {
    // the bins are on the path; npx finds the same, half a second later
    it(`G5 has the stock commands as ${program}, and the tenants' option`, async () => {
      const { stdout } = succeeded(await run(program, '--help'));

      for (const command of ['migration:up', 'migration:create', 'schema:update', 'cache:clear', 'debug']) {
        expect(stdout).to.include(command);
      }

      expect(succeeded(await run(program, 'migration:up', '--help')).stdout).to.include('--tenants');
    });
  }

  it('M1 migration:up migrates the public set alone', async () => {
    succeeded(await run('npx', 'mikro-orm', 'migration:up'));

    expect(await columns()).to.deep.equal(['public.client: domain_url, id, name, schema_name']);
  });

  it('M3 migration:up --tenants migrates every tenant, and leaves public as it was', async () => {
    succeeded(await run('node', 'create.js', 'acme', 'bob'));
    expect(await columns()).to.deep.equal([
      'acme.book: id, title',
      'bob.book: id, title',
      'public.client: domain_url, id, name, schema_name',
    ]);
    cpSync(LATER, join(project.folder, 'migrations/tenant'), { recursive: true });

    succeeded(await run('mikro-orm', 'migration:up'));
    expect(await columns()).to.deep.equal([
      'acme.book: id, title',
      'bob.book: id, title',
      'public.client: domain_url, id, name, schema_name',
    ]);

    succeeded(await run('mikro-orm-tenants', 'migration:up', '--tenants'));
    expect(await columns()).to.deep.equal([
      'acme.book: id, subtitle, title',
      'bob.book: id, subtitle, title',
      'public.client: domain_url, id, name, schema_name',
    ]);
  });

  // every table but the histories, with its columns
  async function columns(): Promise<string[]> {
    const rows = await database.query<{ line: string }>(
      `select table_schema || '.' || table_name || ': ' || string_agg(column_name, ', ' order by column_name) as line
         from information_schema.columns
         where table_schema not in ('pg_catalog', 'information_schema') and table_name <> 'mikro_orm_migrations'
         group by table_schema, table_name order by 1`,
    );

    return rows.map(row => row.line);
  }

  function run(program: string, ...args: readonly string[]): ReturnType<InstalledProject['run']> {
    return project.run(program, args, { DATABASE_URL: database.url });
  }
});

const LATER = fileURLToPath(new URL('cli-project/later', import.meta.url));
