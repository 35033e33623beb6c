import { expect } from 'chai';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { onDatabases } from '../support/databases/database.ts';
import { schemaNames, tablesOf } from '../support/databases/catalog.ts';
import { readCatalog } from '../support/databases/schema-contents.ts';

const FOREIGN_KEY = 'constraint book.book_author_id_foreign FOREIGN KEY (author_id) REFERENCES author(id)';

const HEADING = '## From an existing application to tenants';

onDatabases(
  'the README’s way to tenants',
  database => {
    let project: CliProject;

    before(async () => {
      project = await createCliProject(database.url ?? '');
      await Promise.all(['entities', 'migrations'].map(folder => rm(join(project.folder, folder), { recursive: true })));
    });

    after(() => project.remove());

    it('M22 leads from an application with rows to tenants, the next sign-up and the next migration', async () => {
      await project.write('entities.ts', entities({}));
      await project.write('mikro-orm.config.ts', SINGLE_CONFIG);
      await command(['migration:create', 'migration:up']);
      await database.query(`insert into author (name) select 'author ' || n from generate_series(1, 3) n`);
      await database.query(`insert into book (title, author_id) select 'book ' || n, 1 + n % 3 from generate_series(1, 7) n`);
      await database.query('delete from book where id = 3');
      const rows = await rowsOf('public');

      // steps 1 to 4 are in words
      await project.write('entities.ts', entities({ schema: '*' }));
      await project.write('mikro-orm.config.ts', configWith());
      const [refused] = await project.runAll([['ours', 'migration:create']]);
      expect([refused?.code, refused?.output]).to.satisfy(
        ([code, output]: [number, string]) => code === 2 && output.includes('"author", "book"'),
      );
      await project.write('mikro-orm.config.ts', configWith('dropTables: false'));

      const { text, blocks } = await guide();
      expect(text).to.contain('Set `dropTables: false` in the `migrations` of the config until step 7');
      expect(text).to.contain('7. **Drop the old tables**, once you have seen that the copy is complete. Remove `dropTables: false`');
      expect(blocks.map(({ language }) => language)).to.deep.equal(['sh', 'ts', 'sh', 'sh', 'ts', 'sh']);

      for (const { language, code } of blocks) {
        if (code.includes('--blank')) {
          expect(await rowsOf('public')).to.deep.equal(rows);
          expect(await readCatalog(database, 'public')).to.include(FOREIGN_KEY);
          await project.write('mikro-orm.config.ts', configWith());
        }

        await (language === 'sh' ? followCommands(code) : followCode(code));
      }

      expect(await rowsOf('acme')).to.deep.equal(rows);
      expect(await tablesOf(database, 'public')).to.deep.equal(['client', 'mikro_orm_migrations']);

      await signUp('bob');
      expect(await rowsOf('bob')).to.deep.equal({ author: [], book: [] });
      await run('add.ts', ADD);
      expect(await database.query('select id, author_id from acme.book order by id desc limit 1')).to.deep.equal([{ id: 8, author_id: 4 }]);

      await project.write('entities.ts', entities({ schema: '*', isbn: true }));
      await command(['migration:create', 'migration:create --tenants', 'migration:up', 'migration:up --tenants']);
      await command(['migration:check', 'migration:check --tenants']);
      await signUp('carl');
      expect(await readCatalog(database, 'carl')).to.deep.equal(await readCatalog(database, 'acme'));
      expect(await readCatalog(database, 'bob')).to.deep.equal(await readCatalog(database, 'acme'));

      // an empty database, as a colleague begins with
      await command(['migration:fresh --tenants']);
      await signUp('dora');
      expect(await schemaNames(database)).to.deep.equal(['dora']);
    }).timeout(90_000);

    async function followCommands(code: string): Promise<void> {
      for (const line of code.split('\n')) {
        const [program, ...args] = line.replace(/#.*/, '').trim().split(/ +/);

        if (program === 'npx') {
          expect(args.shift()).to.equal('mikro-orm');
          await command([args.join(' ')]);
        } else {
          expect(program).to.equal('node');
          await runNode(args);
        }
      }
    }

    async function followCode(code: string): Promise<void> {
      const [, file] = /^\/\/ (\S+\.ts)\n/.exec(code) ?? [];

      if (file !== undefined) {
        return project.write(file, code);
      }

      const files = (await readdir(join(project.folder, 'migrations/public'))).filter(name => name.endsWith('.ts')).toSorted();
      const newest = `migrations/public/${files.at(-1)}`;
      const empty = await readFile(join(project.folder, newest), 'utf8');
      const filled = empty.replace(/override (async )?up\(\)[^{]*\{[^}]*\}/, code);
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

/** The code and the commands of the guide, in their order. */
async function guide(): Promise<{ text: string; blocks: { language: string; code: string }[] }> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, rest = ''] = readme.split(HEADING);
  const [text = ''] = rest.split('\n## ');
  const blocks = [...text.matchAll(/^ *```(\w+)\n(.*?)^ *```$/gms)].map(([, language = '', code = '']) => ({
    language,
    code: code.replaceAll(/^ {3}/gm, '').trimEnd(),
  }));

  return { text: text.replaceAll(/\s+/g, ' '), blocks };
}

function entities({ schema, isbn }: { readonly schema?: '*'; readonly isbn?: true }): string {
  const own = schema === undefined ? '' : `schema: '${schema}',`;

  return `
import { TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';

const AuthorSchema = defineEntity({ name: 'Author', ${own} properties: { id: p.integer().primary(), name: p.string() } });
export class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book', ${own}
  properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author), ${isbn === true ? 'isbn: p.string().nullable(),' : ''} },
});
export class Book extends BookSchema.class {}
BookSchema.setClass(Book);
${
  schema === undefined
    ? ''
    : `
export class Client extends TenantMixin { name!: string; }
export const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: { name: p.string() } });
`
}`;
}

const SINGLE_CONFIG = `
import { defineConfig } from '@mikro-orm/postgresql';
import { Author, Book } from './entities.js';
export default defineConfig({ entities: [Author, Book], clientUrl: process.env.DATABASE_URL, migrations: { path: 'migrations/public' } });
`;

function configWith(option = ''): string {
  return `
import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Author, Book, Client } from './entities.js';
export default withTenants(
  defineConfig({ entities: [Author, Book, Client], clientUrl: process.env.DATABASE_URL, migrations: { path: 'migrations/public', ${option} } }),
  { tenant: Client, migrations: { path: 'migrations/tenant' } },
);
`;
}

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
