import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInTenant, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { adopt, readFile as importFile, signUp, tryOut, whatStandsAgainst, writeFile } from '../../../docs/examples/moving-tenants/data.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { createBookshopProject } from '../../support/processes/bookshop-project.ts';
import { createShop, openBookshop } from '../../support/orm/bookshop.ts';
import { transcriptsOf } from '../../support/processes/transcripts.ts';

onDatabases('the pages on copying tenants, files and adopting', database => {
  before(async () => {
    await openBookshop(database);
    await createShop('acme');
    await createShop('template');
    await runInTenant('acme', em => em.execute(`insert into book (title) values ('Emma')`));
    await runInTenant('template', em => em.execute(`insert into book (title) values ('Welcome')`));
  });

  it('L1 a copy has its own rows, a new tenant those of the template, and texts with the name are listed', async () => {
    const shown: unknown[] = [];
    const { log } = console;
    console.log = (text: string) => void shown.push(text);

    try {
      await signUp('dora');
    } finally {
      console.log = log;
    }

    expect(shown).to.deep.equal(['book: 1 of 2', 'mikro_orm_migrations: 2 of 2']);
    await tryOut();
    await runInTenant('acme_try', async em => {
      expect(await em.execute(`update book set title = 'Emma 2' returning id`)).to.deep.equal([{ id: 1 }]);
    });
    await runInTenant('dora', async em => {
      expect(await em.execute('select title from book')).to.deep.equal([{ title: 'Welcome' }]);
    });
    expect(await database.query('select title from acme.book')).to.deep.equal([{ title: 'Emma' }]);
    await database.query(
      `create function acme.count_all() returns bigint language plpgsql as $$ begin execute 'delete from acme.book'; return 1; end $$`,
    );
    expect(await whatStandsAgainst('acme')).to.have.length(1);
    await database.query('drop function acme.count_all');
  });

  it('L2 a file of a tenant becomes another tenant', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'landlord-spec-'));

    try {
      await writeFile('acme', join(folder, 'acme'));
      await importFile(join(folder, 'acme'), 'erik');
      expect(await database.query('select title from erik.book')).to.deep.equal([{ title: 'Emma' }]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('L4 a schema by hand becomes a tenant', async () => {
    await database.query('create schema by_hand');

    for (const sql of BY_HAND) {
      await database.query(sql);
    }

    await adopt();
    await runInTenant('by_hand', em => em.execute(`insert into book (title) values ('mine')`));
  });
});

onDatabases(
  'the commands of the pages on copying tenants and files',
  database => {
    it('L1 L2 print what the pages show, and do it', async () => {
      await openBookshop(database);
      await createShop('acme');
      await runInTenant('acme', em => em.execute(`insert into book (title) values ('Emma')`));
      await using project = await open();

      for (const page of ['docs/guides/cloning.md', 'docs/guides/export-and-import.md']) {
        for (const commands of transcriptsOf(page)) {
          expect(await project.replay(commands)).to.deep.equal(commands.map(() => 0));
        }
      }

      expect(await database.query('select (select title from acme_demo.book), (select title as t2 from acme_2.book)')).to.deep.equal([
        { title: 'Emma', t2: 'Emma' },
      ]);
      expect(JSON.parse(await readFile(join(project.folder, 'acme.json'), 'utf8'))).to.have.nested.property('tables.book[0].title', 'Emma');

      await database.query('create schema by_hand');

      for (const sql of BY_HAND) {
        await database.query(sql);
      }

      const [, adopting = []] = transcriptsOf('docs/guides/extract-and-adopt.md');
      expect(await project.replay(adopting)).to.deep.equal([0]);
      expect((await tenants().list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'acme_2', 'acme_demo', 'by_hand']);
    });

    async function open(): Promise<Awaited<ReturnType<typeof createBookshopProject>> & AsyncDisposable> {
      const project = await createBookshopProject(database.url ?? '');

      return { ...project, [Symbol.asyncDispose]: () => project.remove() };
    }
  },
  ['postgresql'],
);

const BY_HAND = [
  'create table by_hand.book (id serial primary key, title varchar(255) not null, genre_id int null)',
  'create table by_hand.user (id serial primary key, email varchar(255) not null, constraint user_email_unique unique (email))',
  'alter table by_hand.book add constraint book_genre_id_foreign foreign key (genre_id) references public.genre (id) on delete set null',
];
