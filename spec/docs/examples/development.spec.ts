import { expect } from 'chai';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openBookshop } from '../../support/orm/bookshop.ts';
import { createBookshopProject, type BookshopProject } from '../../support/processes/bookshop-project.ts';
import { transcriptsOf } from '../../support/processes/transcripts.ts';

onDatabases(
  'the pages on seeding and on the development loop',
  database => {
    let project: BookshopProject;

    before(async () => {
      project = await createBookshopProject(database.url ?? '');
      database.atEnd(() => project.remove());
      const orm = await openBookshop(database);
      await orm.close();
    });

    it('G5 a seeder creates tenants and fills them, once', async () => {
      expect(await project.replay(transcriptsOf('docs/guides/seeding.md').flat())).to.deep.equal([0, 0]);
      expect(await titles()).to.deep.equal(['Dracula', 'Emma', 'Persuasion']);
    });

    it('M2 M8 M32 the loop leads from an empty database to a changed entity, and back', async () => {
      const [start, change, again, ...others] = transcriptsOf('docs/guides/development-loop.md');
      expect(others).to.deep.equal([]);
      expect(await project.replay(start!)).to.deep.equal([0]);
      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob']);
      expect(await titles()).to.deep.equal(['Dracula', 'Emma', 'Persuasion']);

      const entities = await readFile(join(project.folder, 'entities.ts'), 'utf8');
      await project.write('entities.ts', entities.replace('title: p.string(),', 'title: p.string(), isbn: p.string().nullable(),'));
      expect(await project.replay([...change!, ...again!])).to.deep.equal([0, 0, 0, 0]);
      expect(await columns()).to.include('isbn');

      const create = { command: 'npx mikro-orm migration:create --tenants --name add_isbn' };
      const [file = ''] = (await project.files('migrations/tenant')).filter(name => name.includes('isbn'));
      await rm(join(project.folder, 'migrations/tenant', file));
      await project.replay([{ ...create, printed: 'No changes required, the tenant set is up-to-date' }]);
      await rm(join(project.folder, 'migrations/tenant/.snapshot.json'));
      await project.replay([{ ...create, printed: 'Migration…_add_isbn.ts successfully created in the tenant set' }]);
    });

    async function titles(): Promise<string[]> {
      return (await database.query('select title from acme.book union all select title from bob.book order by 1')).map(
        ({ title }) => title,
      );
    }

    async function columns(): Promise<string[]> {
      const rows = await database.query(
        `select column_name from information_schema.columns where table_schema = 'bob' and table_name = 'book'`,
      );

      return rows.map(each => each['column_name']);
    }
  },
  ['postgresql'],
);
