import { runInTenant, tenants, type CloneError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { refusal } from '../../support/assertions/refusal.ts';
import { schemaNames } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { HARD_PUBLIC, HARD_ROWS } from '../../support/databases/hard-schema.ts';
import { describeSchema, rowsOfSchema } from '../../support/databases/whole-schema.ts';
import { host, openHardOrm } from '../../support/orm/hard-orm.ts';

onDatabases('cloning a tenant with every kind of object', database => {
  before(async () => {
    await openHardOrm(database);
    await database.query(`create role landlord_reader_${process.pid}`);

    for (const sql of HARD_PUBLIC) {
      await database.query(sql);
    }

    await tenants().create(host('acme'));
    await runInTenant('acme', async em => {
      for (const sql of HARD_ROWS) {
        await em.execute(sql);
      }
    });
    await database.query(`grant select on acme.book to landlord_reader_${process.pid} with grant option`);
    await database.query(`grant update (name) on acme.author to landlord_reader_${process.pid}`);
    await database.query(`alter default privileges in schema acme grant select on tables to landlord_reader_${process.pid}`);
    await database.query(`grant usage on schema acme to landlord_reader_${process.pid}`);
    await database.query(`create policy author_role on acme.author for update to landlord_reader_${process.pid} using (id > 1)`);
  });

  after(async () => {
    // roles belong to the whole server
    await database.query(`drop owned by landlord_reader_${process.pid}`);
    await database.query(`drop role landlord_reader_${process.pid}`);
  });

  it('L1 the catalogs of both are equal, names replaced, and so are the rows and the positions of sequences', async () => {
    const seen: string[] = [];
    const before = await rowsOfSchema(database, 'acme');
    await tenants().clone('acme', host('bob'), { onProgress: ({ table, done, total }) => seen.push(`${table} ${done}/${total}`) });

    expect(await describeSchema(database, 'bob')).to.deep.equal(await describeSchema(database, 'acme'));
    expect(await rowsOfSchema(database, 'bob')).to.deep.equal(before);
    expect(seen).to.have.length(12);
    expect(seen.at(-1)).to.match(/ 12\/12$/);
    // what a row says of the source is the row's own affair
    expect(await database.query(`select count(*)::int as n from bob.book where data ->> 'of' = 'acme.book'`)).to.deep.equal([{ n: 5 }]);
    expect((await tenants().history('bob')).map(({ name }) => name)).to.deep.equal(['Hard']);
  });

  it('L1 a write to the copy never reaches the source', async () => {
    const before = await rowsOfSchema(database, 'acme');
    await runInTenant('bob', async em => {
      await em.execute(`insert into author (name) values ('by bob')`);
      await em.execute(`update author set name = 'renamed' where id = 1`);
      await em.execute(`insert into book (title, author_id, isbn) values ('By Bob', 1, 'by bob')`);
      await em.execute(`insert into event (at) values ('2026-05-05')`);
      await em.execute(`insert into base values (9, 'by bob')`);
      await em.execute('call tick(0)');
      await em.execute('delete from author where id = 3');
      // those of a copy are always filled anew
      await em.execute('refresh materialized view totals');
      await em.execute('refresh materialized view a_late');
      expect(await em.execute('select count_books()::int as n')).to.deep.equal([{ n: 4 }]);
    });

    expect(await rowsOfSchema(database, 'acme')).to.deep.equal(before);
  });

  it('L1 a copy of a copy is equal too, and lives on when its source is dropped', async () => {
    await tenants().clone('bob', host('carl'));
    const [described, rows] = [await describeSchema(database, 'bob'), await rowsOfSchema(database, 'bob')];
    await tenants().drop('bob');

    expect(await describeSchema(database, 'carl')).to.deep.equal(described);
    expect(await rowsOfSchema(database, 'carl')).to.deep.equal(rows);
    await runInTenant('carl', async em => {
      await em.execute(`insert into book (title, author_id, isbn, price) values ('By Carl', 1, 'by carl', 3)`);
      expect(await em.execute(`select writer from cheaper c join cheap b on b.book = c.book where c.book = 'By Carl'`)).to.deep.equal([
        { writer: 'renamed' },
      ]);
    });
  });

  it('L1 copies no rows, or those of some tables, and refuses rows without those that they refer to', async () => {
    await tenants().clone('acme', host('bare'), { data: 'none' });
    expect(
      await database.query(
        'select (select count(*) from bare.author)::int as authors, (select count(*) from bare.mikro_orm_migrations)::int as done',
      ),
    ).to.deep.equal([{ authors: 0, done: 1 }]);
    await runInTenant('bare', async em => {
      expect(await em.execute(`insert into author (name) values ('first') returning id, ticket::int`)).to.deep.equal([
        { id: 1, ticket: 100 },
      ]);
    });

    await tenants().clone('acme', host('partly'), { data: ['author'] });
    expect(
      await database.query('select (select count(*) from partly.author)::int as authors, (select count(*) from partly.book)::int as books'),
    ).to.deep.equal([{ authors: 3, books: 0 }]);
    await refusal(tenants().clone('acme', host('half'), { data: ['book'] }), 'CLONE_INCOMPLETE');
    await refusal(tenants().clone('acme', host('half'), { data: ['books'] }), 'CLONE_REFUSED');
    expect(await schemaNames(database)).to.not.include('half');
  });

  it('L1 lists what it does not clone, and stores nothing', async () => {
    const statements = [
      `create function acme.tricky() returns bigint language plpgsql as $$ declare n bigint; begin execute 'select count(*) from acme.book' into n; return n; end $$`,
      `create function acme.aliased() returns int language sql as $$ select acme.id from author acme limit 1 $$`,
      `alter table acme.scratch add whose text default 'acme'`,
      `create text search configuration acme.plain (copy = simple)`,
      `create index acme_half on only acme.event (at)`,
      `create function acme.right_one() returns bigint language sql as $$ select count(*) from acme.book -- of acme's own
        $$`,
    ];
    // PostgreSQL looks at the bodies, which name tables without the schema
    await runInTenant('acme', async em => {
      for (const sql of statements) {
        await em.execute(sql);
      }
    });

    const error = (await refusal(tenants().clone('acme', host('dora')), 'CLONE_REFUSED')) as CloneError;
    expect(error.objects.map(each => each.split(':')[0])).to.deep.equal([
      'index acme_half (not valid)',
      'text search configuration acme.plain',
      'FUNCTION tricky',
      'FUNCTION aliased',
      'table only',
    ]);
    expect(await schemaNames(database)).to.not.include('dora');
    expect(await tenants().list()).to.have.length(4);

    await database.query('drop text search configuration acme.plain');
    await database.query('drop index acme.acme_half');
    await tenants().clone('acme', host('dora'), { force: true });
    // what is surely a name follows, as nobody asked to keep it
    await runInTenant('dora', async em => {
      await em.execute('delete from book');
      expect(await em.execute('select right_one()::int as ours, tricky()::int as theirs')).to.deep.equal([{ ours: 0, theirs: 5 }]);
    });
    await database.query('drop function acme.tricky, acme.aliased');
    await database.query('alter table acme.scratch drop whose');
  });

  it('L1 a table, a view and a column may have the name of the schema', async () => {
    await tenants().create({ ...host('twin') });

    for (const sql of [
      'create table twin.twin (twin int primary key, other int references twin.twin (twin) check (other > 0))',
      'create view twin.seen as select twin.twin, twin.other from twin.twin',
      'create index twin_index on twin.twin ((twin + 1)) where twin > 0',
      'insert into twin.twin values (1, 1)',
    ]) {
      await database.query(sql);
    }

    await tenants().clone('twin', host('other'));
    expect(await database.query('select * from other.seen')).to.deep.equal([{ twin: 1, other: 1 }]);
    await database.query('drop schema twin cascade');
    expect(await database.query('select * from other.seen')).to.deep.equal([{ twin: 1, other: 1 }]);
  });

  it('L1 a publication of tables of the source has none of the copy, and a comment is left as it was', async () => {
    await database.query('create publication of_acme for table acme.book');
    await database.query(`comment on table acme.book is 'acme.book'`);
    await tenants().clone('acme', host('unpublished'));
    expect(await database.query(`select schemaname::text as name from pg_publication_tables where pubname = 'of_acme'`)).to.deep.equal([
      { name: 'acme' },
    ]);
    expect(await database.query(`select obj_description('unpublished.book'::regclass) as text`)).to.deep.equal([{ text: 'acme.book' }]);
    await database.query('drop publication of_acme');
  });

  it('L6 says that the disk is full, and leaves nothing', async () => {
    await tenants().create(host('crowded'));
    // no server of the specs has so small a disk: a view says what that would say
    await database.query(`create function public.full() returns int language plpgsql volatile as 'begin return 1; end'`);
    await database.query('create materialized view crowded.big as select public.full() as n');
    await database.query(`create or replace function public.full() returns int language plpgsql volatile as
      'begin raise exception using errcode = ''53100'', message = ''could not extend file: No space left on device''; end'`);
    const error = await refusal(tenants().clone('crowded', host('squeezed')), 'STORAGE_FULL');
    expect(error.message).to.include('No space left on device').and.to.include('Nothing was stored');
    expect(await schemaNames(database)).to.not.include('squeezed');
    expect(await tenants().list({ where: { schemaName: 'squeezed' } })).to.deep.equal([]);
    await tenants().drop('crowded');
    await database.query('drop function public.full');
  });

  it('L1 refuses a name that is taken, a tenant that is not there, and a transaction of the caller', async () => {
    await refusal(tenants().clone('acme', { ...host('acme'), domainUrl: 'other.example.com' }), 'TENANT_ALREADY_EXISTS');
    await refusal(tenants().clone('nobody', host('erik')), 'TENANT_UNKNOWN');
    await database.query('create schema taken');
    await refusal(tenants().clone('acme', host('taken')), 'SCHEMA_ALREADY_EXISTS');
    await refusal(
      runInTenant('acme', () => tenants().clone('acme', host('erik'))),
      'PUBLIC_CONTEXT_REQUIRED',
    );
    expect(await schemaNames(database)).to.not.include('erik');
  });
});

onDatabases('cloning objects whose names come before those of what they need', database => {
  it('L1 makes each after what it needs', async () => {
    await openHardOrm(database, { statements: BACKWARDS });
    await tenants().create(host('acme'));
    await tenants().clone('acme', host('bob'));

    expect(await describeSchema(database, 'bob')).to.deep.equal(await describeSchema(database, 'acme'));
    expect(await rowsOfSchema(database, 'bob')).to.deep.equal(await rowsOfSchema(database, 'acme'));
  });
});

const BACKWARDS = [
  `create table z_parent (id int primary key, v text not null check (v <> ''))`,
  `create table m_child (w int) inherits (z_parent)`,
  `create table a_grandchild (q int) inherits (m_child)`,
  `create table z_whole (id int not null, d int not null, primary key (id, d)) partition by range (d)`,
  `create table m_part partition of z_whole for values from (0) to (100) partition by list (id)`,
  `create table a_sub partition of m_part for values in (1)`,
  `create table b_default partition of m_part default`,
  `create table a_default partition of z_whole default`,
  `create index z_whole_d on z_whole (d)`,
  `create table a_ref (id int, d int, p int references z_parent (id), foreign key (id, d) references z_whole (id, d))`,
  `create table z_row (x int, y text)`,
  `create function of_row(r z_row) returns int language sql immutable as 'select r.x + 1'`,
  `create table a_user (r z_row, rs z_row[], g int generated always as (of_row(r)) stored)`,
  `create view z_view as select * from a_user`,
  `create view a_view as select (r).x from z_view`,
  `create materialized view z_mat as select count(*) as n from z_whole`,
  `create materialized view b_mat as select n from z_mat`,
  `create materialized view a_mat as select n from b_mat`,
  `create function rows_of() returns setof a_view language sql as 'select * from a_view'`,
  `create table a_typed (s z_view)`,
  `create sequence a_seq owned by z_row.x`,
  // columns, rules and states that came to a table after those that it has them from or gives them to
  `create table o_parent (id int, code text)`,
  `create table o_child (own text) inherits (o_parent)`,
  `create table o_grandchild (more text) inherits (o_child)`,
  `alter table o_parent add later int not null default 3`,
  `alter table o_child alter id set not null`,
  `alter table o_child add last int`,
  `create table o_other (own text) inherits (o_parent, o_child)`,
  `insert into o_child (id, own, later) values (1, 'x', 2)`,
  // how values are stored, which a child has from its parents when it is made, and they may have changed since
  `create table s_parent (a text, b text)`,
  `create table s_other (a text)`,
  `create table s_child (more text) inherits (s_parent, s_other)`,
  `create table s_grandchild () inherits (s_child)`,
  `alter table s_parent alter a set compression pglz`,
  `alter table only s_parent alter a set storage external`,
  `alter table only s_parent alter b set storage main`,
  `alter table only s_child alter b set storage external`,
  `create table u_whole (id int, unique (id) with (fillfactor = 50)) partition by hash (id)`,
  `create table u_part partition of u_whole for values with (modulus 2, remainder 0)`,
  `create function u_f() returns trigger language plpgsql as 'begin return new; end'`,
  `create trigger u_t before insert on u_whole for each row execute function u_f()`,
  `alter table u_whole enable always trigger u_t`,
  `create trigger u_off before insert on u_whole for each row execute function u_f()`,
  `alter table u_part disable trigger u_off`,
  `create materialized view e_first as select 1 as n`,
  `create materialized view e_second as select n from e_first`,
  `refresh materialized view e_first with no data`,
  `alter table a_sub alter d set default nextval('a_seq')`,
  `insert into z_parent values (1,'a')`,
  `insert into m_child values (2,'b',1)`,
  `insert into a_grandchild values (3,'c',1,1)`,
  `insert into z_whole values (1,5),(2,6),(3,1000)`,
  `insert into a_ref values (1,5,1),(3,1000,null)`,
  `insert into z_row values (1,'x')`,
  `insert into a_user (r, rs) values (row(4,'a'), array[row(5,'b')::z_row])`,
  `refresh materialized view z_mat`,
  `refresh materialized view b_mat`,
  `refresh materialized view a_mat`,
];
