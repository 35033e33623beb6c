import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeBlocksOf } from '../../docs/.vitepress/site/code-blocks.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { exampleCode } from '../support/processes/examples.ts';
import { expectPrinted, transcriptsOf, type TranscribedCommand } from '../support/processes/transcripts.ts';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { schemaNames, tablesOf } from '../support/databases/catalog.ts';
import { readCatalog } from '../support/databases/schema-contents.ts';

const FOREIGN_KEY = 'constraint book.book_author_id_foreign FOREIGN KEY (author_id) REFERENCES author(id)';

const PAGE = 'docs/guides/existing-application.md';

onDatabases(
  'the guide for an existing application',
  database => {
    let project: CliProject;

    before(async () => {
      project = await createCliProject(database.url ?? '');
      await Promise.all(['entities', 'migrations'].map(folder => rm(join(project.folder, folder), { recursive: true })));
    });

    after(() => project.remove());

    it('M22 leads from an application with rows to tenants, the next sign-up and the next migration', async () => {
      await project.write('entities.ts', withoutTenants(exampleCode('existing-application/entities.ts')));
      await project.write('mikro-orm.config.ts', SINGLE_CONFIG);
      await command(['migration:create', 'migration:up']);
      await database.query(`insert into author (name) select 'author ' || n from generate_series(1, 3) n`);
      await database.query(`insert into book (title, author_id) select 'book ' || n, 1 + n % 3 from generate_series(1, 7) n`);
      await database.query('delete from book where id = 3');
      const rows = await rowsOf('public');

      // steps 1 to 3
      await project.write('entities.ts', exampleCode('existing-application/entities.ts'));
      await project.write('mikro-orm.config.ts', withoutDropTables(CONFIG));
      const [refused] = await project.runAll([['ours', 'migration:create']]);
      expect([refused?.code, refused?.output]).to.satisfy(
        ([code, output]: [number, string]) => code === 2 && output.includes('"author", "book"'),
      );
      await project.write('mikro-orm.config.ts', CONFIG);

      const [first = [], copy = [], blank = [], drop = [], ...others] = transcriptsOf(PAGE);
      expect(others).to.deep.equal([]);
      expect(text()).to.contain('See first that the copy is complete. Then remove `dropTables: false` from the config');
      await follow(first);
      await project.write('move-rows.ts', exampleCode('existing-application/move-rows.ts'));
      await follow(copy);

      expect(await rowsOf('public')).to.deep.equal(rows);
      expect(await readCatalog(database, 'public')).to.include(FOREIGN_KEY);
      await project.write('mikro-orm.config.ts', withoutDropTables(CONFIG));
      await follow(blank);
      await fillNewest();
      await follow(drop);

      expect(await rowsOf('acme')).to.deep.equal(rows);
      expect(await tablesOf(database, 'public')).to.deep.equal(['client', 'mikro_orm_migrations']);

      await signUp('bob');
      expect(await rowsOf('bob')).to.deep.equal({ author: [], book: [] });
      await run('add.ts', ADD);
      expect(await database.query('select id, author_id from acme.book order by id desc limit 1')).to.deep.equal([{ id: 8, author_id: 4 }]);

      await project.write(
        'entities.ts',
        exampleCode('existing-application/entities.ts').replace('title: p.string(),', 'title: p.string(), isbn: p.string().nullable(),'),
      );
      await command(['migration:create', 'migration:create --tenants', 'migration:up', 'migration:up --tenants']);
      await command(['migration:check', 'migration:check --tenants']);
      await signUp('carl');
      expect(await readCatalog(database, 'carl')).to.deep.equal(await readCatalog(database, 'acme'));
      expect(await readCatalog(database, 'bob')).to.deep.equal(await readCatalog(database, 'acme'));

      // the first migration was written while public kept its old tables
      await command(['migration:down --tenants carl', 'migration:down --tenants carl']);
      expect(await tablesOf(database, 'carl')).to.deep.equal(['mikro_orm_migrations']);
      await command(['migration:up --tenants']);
      expect(await readCatalog(database, 'carl')).to.deep.equal(await readCatalog(database, 'acme'));

      // an empty database, as a colleague begins with
      await command(['migration:fresh --tenants']);
      await signUp('dora');
      expect(await schemaNames(database)).to.deep.equal(['dora']);
    });

    async function follow(block: readonly TranscribedCommand[]): Promise<void> {
      const [first] = block;

      if (first?.command.startsWith('node ') === true) {
        const [, ...args] = first.command.split(' ');
        await runNode(args);
        return;
      }

      const results = await project.runAll(block.map(({ command: line }) => ['ours', ...line.split(' ').slice(2)]));
      results.forEach(({ code, output }, index) => {
        expect(code, output).to.equal(0);
        expectPrinted(block[index] as TranscribedCommand, output);
      });
    }

    /** What the page shows as `up()` of the migration that was written last. */
    async function fillNewest(): Promise<void> {
      const shown =
        codeBlocksOf(join(ROOT, PAGE), join(ROOT, 'docs')).find(({ source }) => source?.endsWith('drop-moved-tables.ts'))?.code ?? '';
      const files = (await readdir(join(project.folder, 'migrations/public'))).filter(name => name.endsWith('.ts')).toSorted();
      const newest = `migrations/public/${files.at(-1)}`;
      const empty = await readFile(join(project.folder, newest), 'utf8');
      const filled = empty.replace(/override (async )?up\(\)[^{]*\{[^}]*\}/, shown);
      expect(filled).to.not.equal(empty);
      await project.write(newest, filled);
    }

    async function command(commands: readonly string[]): Promise<void> {
      for (const { code, output } of await project.runAll(commands.map(each => ['ours', ...each.split(' ')]))) {
        expect(code, output).to.equal(0);
      }
    }

    async function runNode(args: readonly string[]): Promise<void> {
      const [first = '', ...others] = args;
      const { code, output } = await project.runProgram(first, ...others);
      expect(code, output).to.equal(0);
    }

    async function run(file: string, code: string): Promise<void> {
      await project.write(file, `${OPEN}${code}\nawait orm.close();\n`);
      await runNode(['--import', 'tsx', file]);
    }

    async function signUp(name: string): Promise<void> {
      await run(
        'sign-up.ts',
        `await em.persistAndFlush(new Client({ name: '${name}', domainUrl: '${name}.example.com', schemaName: '${name}' }));`,
      );
    }

    async function rowsOf(schema: string): Promise<unknown> {
      return {
        author: await database.query(`select id, name from ${schema}.author order by id`),
        book: await database.query(`select id, title, author_id from ${schema}.book order by id`),
      };
    }
  },
  ['postgresql'],
);

function text(): string {
  return readFileSync(join(ROOT, PAGE), 'utf8').replaceAll(/\s+/g, ' ');
}

/** The entities as they were: no client, and nothing of each tenant's own. */
function withoutTenants(code: string): string {
  return code
    .replace(/\/\/ #region client[^]*\/\/ #endregion client\n/, '')
    .replace(/import \{ TenantMixin \}.*\n/, '')
    .replaceAll(/ {2}schema: '\*',\n/g, '');
}

function withoutDropTables(code: string): string {
  const without = code.replace(', dropTables: false', '');
  expect(without).to.not.equal(code);

  return without;
}

const CONFIG = exampleCode('existing-application/mikro-orm.config.ts');

const SINGLE_CONFIG = `
import { defineConfig } from '@mikro-orm/postgresql';
import { Author, Book } from './entities.js';
export default defineConfig({ entities: [Author, Book], clientUrl: process.env.DATABASE_URL, migrations: { path: 'migrations/public' } });
`;

const OPEN = `
import { runInTenant } from '@landlord/mikro-orm';
import { MikroORM } from '@mikro-orm/postgresql';
import { Author, Book, Client } from './entities.js';
import config from './mikro-orm.config.js';
const orm = await MikroORM.init(config);
const em = orm.em.fork();
`;

const ADD = `
await runInTenant('acme', async inner => {
  const author = inner.create(Author, { name: 'new' });
  inner.create(Book, { title: 'new', author });
  await inner.flush();
});
`;
