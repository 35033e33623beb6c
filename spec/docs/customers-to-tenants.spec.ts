import { expect } from 'chai';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeBlocksOf } from '../../docs/.vitepress/site/code-blocks.ts';
import { schemaNames, tablesOf } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { createCliProject, type CliProject } from '../support/processes/cli-project.ts';
import { exampleCode } from '../support/processes/examples.ts';
import { expectPrinted, transcriptsOf, type TranscribedCommand } from '../support/processes/transcripts.ts';

const PAGE = 'docs/guides/customers-to-tenants.md';

onDatabases(
  'the guide for the data of many customers',
  database => {
    let project: CliProject;

    before(async () => {
      project = await createCliProject(database.url ?? '');
      await Promise.all(['entities', 'migrations'].map(folder => rm(join(project.folder, folder), { recursive: true })));
    });

    after(() => project.remove());

    it('T2 M22 gives each customer its own rows and nobody else’s, whole or not at all', async () => {
      await project.write('entities.ts', exampleCode('customers-to-tenants/before.ts'));
      await project.write('mikro-orm.config.ts', BEFORE);
      await run([{ command: 'npx mikro-orm migration:create', printed: '…' }]);
      await run([{ command: 'npx mikro-orm migration:up', printed: '…' }]);
      await database.query(`insert into customer (name, slug) values ('Acme', 'acme'), ('Bob & Co', 'bob-co')`);
      await database.query(`insert into book (title, customer_id) select 'book ' || n, 1 + n % 2 from generate_series(1, 7) n`);

      for (const file of ['entities.ts', 'mikro-orm.config.ts']) {
        await project.write(file, exampleCode(`customers-to-tenants/${file}`));
      }

      const [create = [], up = [], move = [], blank = [], drop = [], ...others] = transcriptsOf(PAGE);
      expect(others).to.deep.equal([]);
      await run(create);
      await fill('add_tenants', 'add-tenants.ts');
      await run(up);

      // the page on the command shows the same
      expect(transcriptsOf('docs/guides/extract-and-adopt.md')[0]).to.deep.equal(move);
      await run(move.slice(0, 1));
      expect(await schemaNames(database)).to.deep.equal([]);

      // the second customer fails: the first stays done, and nothing of the second is there
      await database.query('alter table book alter title type text');
      await database.query(`update book set title = repeat('x', 300) where id = 1`);
      const [broken] = await project.runAll([['ours', ...(move[1]?.command.split(' ').slice(2) ?? [])]]);
      expect(broken?.code).to.equal(1);
      expect(broken?.output).to.contain('bob_co: ');
      expect(await schemaNames(database)).to.deep.equal(['acme']);
      await database.query(`update book set title = 'book 1' where id = 1`);

      const [again] = await project.runAll([['ours', ...(move[1]?.command.split(' ').slice(2) ?? [])]]);
      expect(again?.code, again?.output).to.equal(0);
      expect(again?.output.trim()).to.equal(move[1]?.printed.replace('moved book: 3', 'nothing to move'));
      expect(await database.query('select id, title from acme.book order by id')).to.deep.equal(
        [2, 4, 6].map(id => ({ id, title: `book ${id}` })),
      );
      expect(await database.query('select id, title from bob_co.book order by id')).to.deep.equal(
        [1, 3, 5, 7].map(id => ({ id, title: `book ${id}` })),
      );
      expect(await database.query(`insert into acme.book (title) values ('new') returning id`)).to.deep.equal([{ id: 7 }]);

      await project.write(
        'mikro-orm.config.ts',
        exampleCode('customers-to-tenants/mikro-orm.config.ts').replace(', dropTables: false', ''),
      );
      await run(blank);
      await fill('drop_moved_tables', 'drop-moved-tables.ts');
      await run(drop);
      expect(await tablesOf(database, 'public')).to.deep.equal(['customer', 'mikro_orm_migrations']);
      expect(
        (
          await project.runAll([
            ['ours', 'migration:check'],
            ['ours', 'migration:check', '--tenants'],
          ])
        ).map(({ code: each }) => each),
      ).to.deep.equal([0, 0]);

      // the first migration was written while public kept its old tables
      const reverted = await project.runAll([
        ['ours', 'migration:down', '--tenants', 'bob_co'],
        ['ours', 'migration:up', '--tenants'],
      ]);
      expect(
        reverted.map(({ code: each }) => each),
        reverted.map(({ output }) => output).join('\n'),
      ).to.deep.equal([0, 0]);
    });

    async function run(block: readonly TranscribedCommand[]): Promise<void> {
      const results = await project.runAll(block.map(({ command }) => ['ours', ...command.split(' ').slice(2)]));
      results.forEach(({ code, output }, index) => {
        expect(code, output).to.equal(0);
        expectPrinted(block[index] as TranscribedCommand, output);
      });
    }

    /** Gives a migration of the public set the `up()` that the page shows. */
    async function fill(name: string, example: string): Promise<void> {
      const shown = codeBlocksOf(join(ROOT, PAGE), join(ROOT, 'docs')).find(({ source }) => source?.endsWith(`/${example}`))?.code ?? '';
      const file = (await readdir(join(project.folder, 'migrations/public'))).find(each => each.endsWith(`${name}.ts`));
      const path = `migrations/public/${file}`;
      const written = await readFile(join(project.folder, path), 'utf8');
      const filled = written.replace(/override (?:async )?up\(\)[^{]*\{[^}]*\}/, () => shown);
      expect(filled).to.not.equal(written);
      await project.write(path, filled);
    }
  },
  ['postgresql'],
);

const BEFORE = `
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Customer } from './entities.js';
export default defineConfig({ entities: [Book, Customer], clientUrl: process.env.DATABASE_URL, migrations: { path: 'migrations/public' } });
`;
