import { runInTenant, tenants, type MoveError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { refusal } from '../../support/assertions/refusal.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { host, openHardOrm } from '../../support/orm/hard-orm.ts';

/** The tables of a tenant. Those of public are the same, with a column for the customer in two of them. */
const TABLES = [
  `create type kind as enum ('novel', 'poem')`,
  'create table genre (id int primary key, name text not null)',
  'create table author (id serial primary key, name text not null, best_id int)',
  `create table book (id int generated always as identity primary key, title text not null, kind kind not null default 'novel',
    author_id int not null references author (id), genre_id int references genre (id), sequel_id int references book (id),
    slug text generated always as (lower(title)) stored)`,
  'alter table author add constraint author_best foreign key (best_id) references book (id)',
  'create table page (book_id int not null references book (id) on delete cascade, nr int not null, primary key (book_id, nr))',
  'create table log (what text)',
  `create function log_it() returns trigger language plpgsql as $$ begin insert into log values ('written'); return new; end $$`,
  'create trigger book_logged after insert on book for each row execute function log_it()',
];

const SET = ['alter table author add customer_id int', 'alter table book add customer_id int'];

onDatabases('moving rows of public tables to tenants', database => {
  const options = { column: 'customer_id', whole: ['genre'], without: ['customer_id'] };

  before(async () => {
    await openHardOrm(database, { statements: TABLES });

    for (const sql of [...TABLES.filter(each => !each.includes('log')), 'create table log (what text)', ...SET]) {
      await database.query(sql);
    }

    for (const name of ['acme', 'bob', 'carl']) {
      await tenants().create(host(name), { autoCreateSchema: false });
    }

    await database.query(`insert into genre values (1, 'crime')`);
    await database.query(`insert into author (name, customer_id) select 'author ' || n, 1 + n % 2 from generate_series(1, 6) n`);
    await database.query(
      `insert into book (title, author_id, customer_id, genre_id, kind) select 'Book ' || n, 1 + n % 6, 1 + (1 + n % 6) % 2, 1, 'poem' from generate_series(1, 12) n`,
    );
    await database.query('update author a set best_id = (select min(id) from book b where b.author_id = a.id)');
    await database.query('update book b set sequel_id = (select max(id) from book c where c.author_id = b.author_id)');
    await database.query('insert into page select id, nr from book, generate_series(1, 3) nr');
  });

  async function publicRows(): Promise<unknown> {
    return database.query(
      'select (select count(*) from author)::int as authors, (select count(*) from book)::int as books, (select count(*) from page)::int as pages, (select count(*) from genre)::int as genres',
    );
  }

  it('L4 a dry run says what would be moved, and changes nothing', async () => {
    const before = await publicRows();
    const report = await tenants().extract('acme', { ...options, whole: ['genre', 'log'], dryRun: true });
    expect(Object.fromEntries(report.tables.map(({ table, rows }) => [table, rows]))).to.deep.equal({
      author: 3,
      book: 6,
      genre: 1,
      log: 0,
      page: 18,
    });
    expect(report.refused).to.deep.equal([]);
    expect(await publicRows()).to.deep.equal(before);
    expect(await schemaNames(database)).to.deep.equal([]);
  });

  it('L4 tells every reason against it: a table without a way to the customer, a column that is lost, rows that refer across', async () => {
    await database.query('update book set author_id = 1 where id = 1');
    await database.query('alter table book add isbn text');
    const error = (await refusal(tenants().extract('acme', options), 'EXTRACT_REFUSED')) as MoveError;
    expect(error.objects.map(each => each.replace(/;.*/, ''))).to.deep.equal([
      'table log has no column customer_id and no foreign key to a table that has it',
      "column book.isbn is not in the tenant's table",
      "1 rows of book refer by book_author_id_fkey to rows of author that are not the same customer's",
    ]);
    expect(await schemaNames(database)).to.deep.equal([]);
    await database.query('update book set author_id = 2 where id = 1');
    await database.query('alter table book drop isbn');
    await database.query('drop table log');
  });

  it('L4 moves the rows of one customer and of nobody else, through the graph of foreign keys, with keys and sequences', async () => {
    const report = await tenants().extract('acme', options);
    expect(Object.fromEntries(report.tables.map(({ table, rows }) => [table, rows]))).to.deep.equal({
      author: 3,
      book: 6,
      genre: 1,
      page: 18,
    });
    expect(await publicRows()).to.deep.equal([{ authors: 3, books: 6, pages: 18, genres: 1 }]);
    expect(await database.query('select distinct customer_id from book')).to.deep.equal([{ customer_id: 2 }]);
    expect(await database.query('select id, title, kind::text, slug from acme.book order by id limit 1')).to.deep.equal([
      { id: 1, title: 'Book 1', kind: 'poem', slug: 'book 1' },
    ]);
    expect(await database.query('select count(*)::int as n from acme.author a join acme.book b on b.id = a.best_id')).to.deep.equal([
      { n: 3 },
    ]);
    // what is only moved was not written anew
    expect(await database.query('select * from acme.log')).to.deep.equal([]);
    await runInTenant('acme', async em => {
      const [book] = await em.execute(`insert into book (title, author_id) select 'new', min(id) from author returning id`);
      expect(book).to.deep.equal({ id: 12 });
      expect(await em.execute('select count(*)::int as n from log')).to.deep.equal([{ n: 1 }]);
    });
  });

  it('L4 done again, it moves nothing, and the next customer gets the rest', async () => {
    expect(
      (await tenants().extract('acme', { ...options, column: 'customer_id' })).tables.every(
        ({ table, rows }) => rows === 0 || table === 'genre',
      ),
    ).to.equal(true);
    await tenants().extract('bob', options);
    expect(await publicRows()).to.deep.equal([{ authors: 0, books: 0, pages: 0, genres: 1 }]);
    expect(await database.query('select count(*)::int as n from bob.page')).to.deep.equal([{ n: 18 }]);
  });

  it('L4 without a column, all rows are the one tenant’s, and numbers go on', async () => {
    await database.query(`insert into author (id, name) values (90, 'last')`);
    await database.query(`select setval('author_id_seq', 500)`);
    await tenants().extract('carl', { without: ['customer_id'] });
    expect(await database.query('select id, name from carl.author')).to.deep.equal([{ id: 90, name: 'last' }]);
    await runInTenant('carl', async em => {
      expect(await em.execute(`insert into author (name) values ('next') returning id`)).to.deep.equal([{ id: 501 }]);
    });
    expect(await publicRows()).to.deep.equal([{ authors: 0, books: 0, pages: 0, genres: 0 }]);
  });
});
