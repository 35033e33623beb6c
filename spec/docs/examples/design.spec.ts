import { tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { Book, Genre } from '../../../docs/examples/bookshop/entities.ts';
import { checkIsolation } from '../../../docs/examples/bookshop/isolation-check.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import { ROOT } from '../../support/orm/library-orm.ts';
import { openPlainOrm } from '../../support/orm/open-orm.ts';
import { createBookshopProject } from '../../support/processes/bookshop-project.ts';
import { expectPrinted, transcriptsOf } from '../../support/processes/transcripts.ts';

onDatabases(
  'the pages on qualified names and on upgrades',
  database => {
    before(async () => {
      const orm = await openBookshop(database);
      await createShop('acme');
      await createShop('bob');
      await checkIsolation();
      expect((await tenants().list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob']);
      await orm.close();
      await database.query(`insert into acme.book (title) values ('Emma')`);
      await database.query('create table public.book (id int, title text, genre_id int)');
      await database.query(`insert into public.book values (1, 'Shared')`);
      await database.query('create table public.note (text text)');
    });

    for (const [file, expected] of [
      ['savepoint', ['Emma']],
      ['left-behind', ['Emma']],
      ['fall-back', ['private']],
      ['missing-schema', ['Shared']],
    ] as const) {
      it(`law 3 PostgreSQL does with ${file}.sql what the page says`, async () => {
        const client = new pg.Client({ connectionString: database.url });
        await client.connect();
        const text = await readFile(join(ROOT, 'docs/examples/why-qualified-names', `${file}.sql`), 'utf8');
        const rows: string[] = [];

        for (const statement of text.replaceAll(/--.*/g, '').split(';')) {
          const result = await client.query(statement).catch(() => undefined);
          rows.push(...(result?.rows ?? []).map(row => String(row.title ?? row.text ?? '')));
        }

        await client.end();
        expect(rows).to.deep.equal(expected);
        expected.forEach(each => expect(text).to.contain(`-- ${each}`));
      });
    }

    it('law 3 a qualified name of a schema that is not there is an error', async () => {
      expect(String(await failureOf(database.query('select title from bpb.book')))).to.contain('relation "bpb.book" does not exist');
      expect(await schemaNames(database)).to.deep.equal(['acme', 'bob']);
    });

    it('law 1 MikroORM alone reads a table of whatever schema is on the path, as the page of comparisons says', async () => {
      const orm = await openPlainOrm(database, { entities: [Genre, Book] });
      database.statements.length = 0;
      expect((await orm.em.fork().find(Book, {}, { fields: ['title'] })).map(({ title }) => title)).to.deep.equal(['Shared']);
      expect(database.statements.join('\n')).to.contain('from "book"');
      await orm.close();
    });

    it('G1 a start is refused as the page on upgrades shows', async () => {
      const project = await createBookshopProject(database.url ?? '');
      database.atEnd(() => project.remove());
      await project.write('changed.mjs', CHANGED);
      const [[start] = []] = transcriptsOf('docs/guides/upgrading-mikro-orm.md');
      const [program, ...args] = start!.command.split(' ');
      expect(program).to.equal('node');
      const env = { ...process.env, DATABASE_URL: database.url, NO_COLOR: '1' };
      const error = (await failureOf(
        promisify(execFile)(process.execPath, ['--import', './changed.mjs', ...args], { cwd: project.folder, env }),
      )) as { readonly stderr: string };

      expectPrinted(start!, error.stderr);
    });
  },
  ['postgresql'],
);

/** What an upgrade could do. */
const CHANGED = `
import { EntityManager } from '@mikro-orm/core';
delete EntityManager.prototype.processWhere;
`;
