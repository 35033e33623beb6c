import { runInTenant, tenants } from '@landlord/mikro-orm';
import type { EntityClass } from '@mikro-orm/core';
import { expect } from 'chai';
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Book, Client, Genre, User } from '../../../docs/examples/bookshop/entities.ts';
import { Migration20260101000001_create_books } from '../../../docs/examples/bookshop/migrations/tenant/Migration20260101000001_create_books.ts';
import { backfill } from '../../../docs/examples/rolling-releases/backfill.ts';
import { Book as BookOfBoth } from '../../../docs/examples/rolling-releases/both.ts';
import { Migration20260201000000_add_name } from '../../../docs/examples/rolling-releases/Migration20260201000000_add_name.ts';
import { Migration20260301000000_title_optional } from '../../../docs/examples/rolling-releases/Migration20260301000000_title_optional.ts';
import { Migration20260401000000_drop_title } from '../../../docs/examples/rolling-releases/Migration20260401000000_drop_title.ts';
import { Book as BookOfName } from '../../../docs/examples/rolling-releases/name-only.ts';
import { sqlStateOf } from '../../support/assertions/failure.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import { ROOT } from '../../support/orm/library-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { createBookshopProject } from '../../support/processes/bookshop-project.ts';
import { transcriptsOf } from '../../support/processes/transcripts.ts';

const MIGRATIONS = [
  Migration20260101000001_create_books,
  Migration20260201000000_add_name,
  Migration20260301000000_title_optional,
  Migration20260401000000_drop_title,
];

/** A row of the table, and statements of its kind. The old code gives each book a title, and no genre. */
const CHANGES = [
  ['adds a table', 'create table book_note (id int)'],
  ['may be null, or with a default', 'alter table book add pages int', 'alter table book add copies int not null default 1'],
  ['optional', 'alter table book alter title drop not null'],
  ['index', 'create index on book (title)'],
  ['no default', 'alter table book add pages int not null'],
  ['renames or drops', 'alter table book rename title to name', 'alter table book drop column name'],
  ['required', 'alter table book alter genre_id set not null'],
] as const;

onDatabases(
  'the page on rolling releases',
  database => {
    it('M18, M27 the code of each release works on the tables of its own and of the next one', async () => {
      const orms = {
        old: await openBookshop(database),
        both: await withBook(BookOfBoth),
        nameOnly: await withBook(BookOfName),
      };
      const books: Record<string, EntityClass<any>> = { old: Book, both: BookOfBoth, nameOnly: BookOfName };
      await tenants(orms.old).create({ name: 'acme', domainUrl: 'acme.example.com', schemaName: 'acme' });
      const works = async (release: keyof typeof orms): Promise<string> => {
        const orm = orms[release];

        try {
          await runInTenant(
            'acme',
            async em => {
              const book = em.create(books[release]!, release === 'nameOnly' ? { name: 'x' } : { title: 'x' });
              await em.persistAndFlush(book);
              await em.find(books[release]!, {});
            },
            { orm },
          );

          return 'works';
        } catch (error) {
          return sqlStateOf(error);
        }
      };
      const all = async (): Promise<string[]> => [await works('old'), await works('both'), await works('nameOnly')];
      const migrate = async (count: number): Promise<void> => {
        const orm = await openBookshop(database, { migrations: { migrationsList: MIGRATIONS.slice(0, count) } });
        expect((await tenants(orm).migrate()).failed).to.deep.equal([]);
        await orm.close();
      };

      expect(await all()).to.deep.equal(['works', '42703', '42703']);
      await migrate(2);
      expect(await all()).to.deep.equal(['works', 'works', '23502']);
      await migrate(3);
      expect(await all()).to.deep.equal(['works', 'works', 'works']);

      await Promise.all([orms.both.close(), orms.nameOnly.close()]);
      const [{ count }] = (await database.query('select count(*)::int from acme.book where name is null')) as [{ count: number }];
      expect(count).to.equal(3);
      expect(await backfill(2)).to.equal(3);
      expect(await backfill(2)).to.equal(0);
      orms.both = await withBook(BookOfBoth);
      orms.nameOnly = await withBook(BookOfName);

      await migrate(4);
      expect(await all()).to.deep.equal(['42703', '42703', 'works']);
      await Promise.all(Object.values(orms).map(orm => orm.close()));
      await database.query('drop schema acme cascade');
      await database.query('delete from client');
    });

    it('M18, M27 the old code takes each kind of migration as the table of the page says', async () => {
      const rows = (await readFile(join(ROOT, 'docs/guides/rolling-releases.md'), 'utf8'))
        .split('\n')
        .filter(line => /^\| (adds|makes|renames)/.test(line));
      expect(rows).to.have.length(CHANGES.length);
      const orm = await openBookshop(database);

      for (const [index, [change, ...statements]] of CHANGES.entries()) {
        expect(rows[index]).to.contain(change);
        const expected = /SQLSTATE (\w+)/.exec(rows[index] ?? '')?.[1] ?? 'works';
        const shop = await createShop(`shop_${index}`);

        for (const statement of statements) {
          await database.query(statement.replace('book', `${shop.schemaName}.book`));
          const outcome = await runInTenant(shop, async em => {
            await em.persistAndFlush(em.create(Book, { title: 'x' }));
            await em.find(Book, {});
          }).then(() => 'works', sqlStateOf);
          expect(outcome, statement).to.equal(expected);
        }

        await tenants().drop(shop);
      }

      await orm.close();
    });

    it('M7, M8, M18, M27 prints the states of a release as the page says', async () => {
      const old = await openBookshop(database);
      await createShop('acme');
      await createShop('bob');
      const project = await createBookshopProject(database.url ?? '');
      database.atEnd(() => project.remove());
      const name = 'Migration20260201000000_add_name.ts';
      const file = join(project.folder, 'migrations/tenant', name);
      await cp(join(ROOT, 'docs/examples/rolling-releases', name), file);
      const [halfway, rest, late, olderRelease, ...others] = transcriptsOf('docs/guides/rolling-releases.md');
      expect(others).to.deep.equal([]);

      expect(await project.replay([...halfway!, ...rest!])).to.deep.equal([0, 0, 0, 0]);
      // by a process of the old release
      await createShop('carl');
      expect(await project.replay(late!)).to.deep.equal([0, 0]);
      await rm(file);
      expect(await project.replay(olderRelease!)).to.deep.equal([0, 0]);
      await old.close();
    });

    async function withBook(entity: EntityClass<any>): Promise<SpecOrm> {
      return openBookshop(database, {}, { entities: [Client, Genre, entity, User] });
    }
  },
  ['postgresql'],
);
