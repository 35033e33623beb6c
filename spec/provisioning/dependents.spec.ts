import { runInTenant, tenants, type TenantError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { until } from '../support/assertions/until.ts';

/** What others have that depends on acme's schema: what is made, what the error names, and what takes it away again. */
const DEPENDENTS: Readonly<Record<string, { make: string; named: readonly string[]; unmake: string }>> = {
  'a view, and a view of that': {
    make: 'create view public.report as select * from acme.book; create view bob.report as select * from public.report',
    named: ['view bob.report', 'view public.report'],
    unmake: 'drop view public.report cascade',
  },
  'a materialized view with its index': {
    make: 'create materialized view public.report as select id, name from acme.author; create index on public.report (name)',
    named: ['materialized view public.report'],
    unmake: 'drop materialized view public.report',
  },
  'a table that inherits': {
    make: 'create table bob.rare (note text unique) inherits (acme.author)',
    named: ['table bob.rare'],
    unmake: 'drop table bob.rare',
  },
  'a partition': {
    make: `create table acme.log (at date primary key) partition by range (at);
      create table bob.log partition of acme.log for values from ('2026-01-01') to ('2027-01-01')`,
    named: ['table bob.log'],
    unmake: 'drop table acme.log',
  },
  'a foreign key': {
    make: 'create table public.favourite (author_id int references acme.author)',
    named: ['table constraint favourite_author_id_fkey on public.favourite'],
    unmake: 'drop table public.favourite',
  },
  'columns of a type, with an index and a default': {
    make: `create type acme.mood as enum ('good'); create type acme.pair as (a int, b int); create domain acme.age as int;
      create table public.diary (id int, mood acme.mood default 'good', moods acme.mood[], pair acme.pair, age acme.age);
      create index on public.diary (mood); insert into public.diary values (1)`,
    named: [
      'table column public.diary.age',
      'table column public.diary.mood',
      'table column public.diary.moods',
      'table column public.diary.pair',
    ],
    unmake: 'drop table public.diary; drop type acme.mood, acme.pair, acme.age',
  },
  'a type, a domain and a column of a row': {
    make: `create type acme.mood as enum ('good'); create type public.state as (mood acme.mood); create domain bob.mood as acme.mood;
      create table public.copy (author acme.author, mood bob.mood)`,
    named: ['composite type column public.state.mood', 'table column public.copy.author', 'table column public.copy.mood', 'type bob.mood'],
    unmake: 'drop table public.copy; drop domain bob.mood; drop type public.state, acme.mood',
  },
  functions: {
    make: `create function public.age_of(acme.author) returns int language sql as 'select 1';
      create function bob.authors() returns setof acme.author language plpgsql as 'begin return; end';
      create function public.total() returns bigint begin atomic select count(*) from acme.author; end`,
    named: ['function bob.authors()', 'function public.age_of(acme.author)', 'function public.total()'],
    unmake: 'drop function public.age_of, bob.authors, public.total',
  },
  'what calls a function: a trigger, a default, a check, a policy, an index, a generated column': {
    make: `create function acme.noted() returns trigger language plpgsql as 'begin return new; end';
      create function acme.doubled(int) returns int language sql immutable as 'select $1 * 2';
      create table public.entry (a int default acme.doubled(1), b int check (acme.doubled(b) > 0), c int generated always as (acme.doubled(7)) stored);
      create trigger noted before insert on public.entry for each row execute function acme.noted();
      create index entry_a on public.entry (acme.doubled(a));
      create policy mine on public.entry using (acme.doubled(a) > 0)`,
    named: [
      'default value for public.entry.a',
      'index public.entry_a',
      'policy mine on public.entry',
      'table column public.entry.c',
      'table constraint entry_b_check on public.entry',
      'trigger noted on public.entry',
    ],
    unmake: 'drop table public.entry; drop function acme.noted, acme.doubled',
  },
  'a rule': {
    make: `create table public.entry (name text); create rule copied as on insert to public.entry do also insert into acme.author (name) values (new.name)`,
    named: ['rule copied on public.entry'],
    unmake: 'drop table public.entry',
  },
  'a default that counts by a sequence': {
    make: `create sequence acme.numbers; create table public.entry (id int default nextval('acme.numbers'))`,
    named: ['default value for public.entry.id'],
    unmake: 'drop table public.entry; drop sequence acme.numbers',
  },
};

/** Ways to drop acme's schema that say nothing of what is others'. */
const WAYS: Readonly<Record<string, (orm: LibraryOrm) => Promise<unknown>>> = {
  'tenants().drop()': orm => tenants(orm).drop('acme'),
  '`autoDropSchema`': async orm => {
    const em = orm.em.fork();
    const acme = await em.findOneOrFail(Library, { schemaName: 'acme' });
    acme.autoDropSchema = true;
    await em.removeAndFlush(acme);
  },
  'a bulk delete': async orm => {
    const em = orm.em.fork();
    const rows = await em.find(Library, { schemaName: ['acme', 'other'] });
    rows.forEach(row => Object.assign(row, { autoDropSchema: true }));
    await em.removeAndFlush(rows);
  },
};

onDatabases('what others have that depends on a schema', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob'), newLibrary('other')]);
  });

  after(() => orm.close());

  const run = async (sql: string): Promise<void> => {
    for (const statement of sql.split(/;\s+(?=create|drop|insert|alter|comment)/)) {
      await database.query(statement);
    }
  };

  for (const [what, { make, named, unmake }] of Object.entries(DEPENDENTS)) {
    it(`T20 keeps the schema where its drop would take ${what}, and names it`, async () => {
      await run(make);

      try {
        for (const [way, drop] of Object.entries(WAYS)) {
          const error = await refusal(drop(orm));

          expect(error, way).to.include({ code: 'SCHEMA_IN_USE', name: 'SchemaInUseError', schemaName: 'acme' });
          expect((error as TenantError & { dependents: unknown }).dependents, way).to.deep.equal(named);
          expect(error.message).to.include(named[0]).and.to.include('Nothing was changed');
        }

        expect(await storedTenants(database)).to.deep.equal(['acme', 'bob', 'other']);
        expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'other']);
      } finally {
        await run(unmake);
      }
    });
  }

  it('T20 names a few in the message, and all in the error', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `view public.view_${String(index).padStart(2, '0')}`);

    for (const name of names) {
      await database.query(`create ${name} as select * from acme.author`);
    }

    const error = await refusal(tenants(orm).drop('acme'));

    expect(error).to.have.deep.property('dependents', names);
    expect(error.message).to.include('view public.view_09, and 20 more').and.not.to.include('view_10');

    for (const name of names) {
      await database.query(`drop ${name}`);
    }
  });

  it('T20 drops what is others’ where the caller says so, and leaves the rest of it', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('said'));
    await run(
      `create type said.mood as enum ('good'); create table public.diary (id int, mood said.mood); create view public.report as select * from said.book`,
    );
    await database.query('insert into public.diary values (7)');
    await tenants(orm).drop('said', { cascade: true });

    expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'other']);
    expect(await database.query('select * from public.diary')).to.deep.equal([{ id: 7 }]);
    expect(await database.query(`select to_regclass('public.report') as found`)).to.deep.equal([{ found: null }]);
    await database.query('drop table public.diary');
  });

  it('T20 takes nothing of the tenant’s own for somebody else’s, and nothing that it uses', async () => {
    await orm.em.fork().persistAndFlush(newLibrary('full'));
    await run(`create type full_kind as enum ('x'); create table public.used (id serial primary key, kind full_kind);
      create function public.used() returns trigger language plpgsql as 'begin return new; end';
      create type "full".mood as enum ('good'); create domain "full".age as int check (value > 0);
      create table "full".everything (id int generated always as identity primary key, used_id int references public.used, mood "full".mood unique,
        moods "full".mood[], kind public.full_kind, age "full".age default 3, body text, twice int generated always as (1 + 1) stored, check (age > 1));
      create function "full".noted() returns trigger language plpgsql as 'begin return new; end';
      create function "full".as_text("full".mood) returns text language sql immutable as 'select null';
      create cast ("full".mood as text) with function "full".as_text("full".mood);
      create trigger own before insert on "full".everything for each row execute function "full".noted();
      create trigger theirs before insert on "full".everything for each row execute function public.used();
      create policy mine on "full".everything using (true); create rule r as on delete to "full".everything do also delete from public.used where false;
      create view "full".joined as select e.body from "full".everything e join public.used u on u.id = e.used_id;
      create materialized view "full".counted as select count(*) from "full".joined; create view public.own as select 1 as one;
      create view "full".over as select * from public.own; create statistics "full".s on mood, body from "full".everything;
      create table "full".part (at date primary key) partition by range (at);
      create table "full".part_1 partition of "full".part for values from ('2026-01-01') to ('2027-01-01');
      create table "full".child () inherits ("full".everything); create table public.whole (at date) partition by range (at);
      create table "full".of_whole partition of public.whole for values from ('2026-01-01') to ('2027-01-01');
      comment on table "full".everything is 'x'`);

    if (database.kind === 'postgresql') {
      await database.query('create publication everything for table "full".everything');
      await database.query('alter default privileges in schema "full" grant select on tables to public');
    }

    await tenants(orm).drop('full');

    expect(await schemaNames(database)).to.deep.equal(['acme', 'bob', 'other']);
    expect(await database.query('select count(*)::int as n from public.used')).to.deep.equal([{ n: 0 }]);
    expect(await database.query('select count(*)::int as n from public.whole')).to.deep.equal([{ n: 0 }]);
  });
});

onDatabases(
  'a view that is being created',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openLibrary(database);
      await orm.em.fork().persistAndFlush(newLibrary('acme'));
    });

    after(() => orm.close());

    it('T20 is found by a drop that has to wait for its transaction', async () => {
      await database.query('begin');
      await database.query('create view public.report as select * from acme.book');
      const outcome = tenants(orm)
        .drop('acme')
        .then(
          () => 'dropped',
          (error: TenantError) => error,
        );
      await until('the drop waits', async () => {
        const [row] = await database.query('select count(*)::int as waiting from pg_locks where not granted');

        return row?.waiting === 1;
      });
      await database.query('commit');

      expect(await outcome)
        .to.include({ code: 'SCHEMA_IN_USE' })
        .and.to.have.deep.property('dependents', ['view public.report']);
      expect(await schemaNames(database)).to.deep.equal(['acme']);
    });
  },
  ['postgresql'],
);

onDatabases('what has the name of a schema in its text', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
    await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
  });

  after(() => orm.close());

  const ways: Readonly<Record<string, () => Promise<unknown>>> = {
    'tenants().rename()': () => tenants(orm).rename('acme', 'later'),
    'a flush': () =>
      orm.em.fork().transactional(async em => {
        (await em.findOneOrFail(Library, { schemaName: 'acme' })).schemaName = 'later';
      }),
  };

  it('T20 keeps the name where functions and settings of others have it, and names them', async () => {
    const [{ role } = { role: '' }] = await database.query<{ role: string }>('select current_user as role');
    const [{ name } = { name: '' }] = await database.query<{ name: string }>('select current_database() as name');
    await database.query(`create function public.quoted() returns bigint language sql as 'select count(*) from "acme"."author"'`);
    await database.query(`create function bob.spaced() returns void language plpgsql as 'begin perform 1 from ACME . Author; end'`);
    await database.query(`create function public.path() returns int language sql set search_path to public, acme as 'select 1'`);
    await database.query(`alter role "${role}" in database "${name}" set search_path to public, "acme"`);
    // none of these has it
    await database.query(`create function public.alias() returns bigint language sql as 'select max(acme.id) from public.library acme'`);
    await database.query(`create function public.word() returns text language sql as $$ select 'acme' || 'not_acme.author' $$`);
    await database.query(`create function public.other() returns int language sql set search_path to acme_2 as 'select 1'`);
    await database.query('create view public.report as select * from acme.author');

    for (const [way, rename] of Object.entries(ways)) {
      const error = await refusal(rename());

      expect(error, way).to.include({ code: 'SCHEMA_IN_USE', schemaName: 'acme' });
      expect(error, way).to.have.deep.property('dependents', [
        'function bob.spaced()',
        'function public.path()',
        'function public.quoted()',
        `setting search_path of role ${role}`,
      ]);
    }

    expect(await storedTenants(database)).to.deep.equal(['acme', 'bob']);
    await database.query(`alter role "${role}" in database "${name}" reset search_path`);
  });

  it('T20 is left behind where the caller says so, and what refers to the schema itself follows', async () => {
    await runInTenant('acme', em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));
    await tenants(orm).rename('acme', 'later', { force: true });

    expect(await schemaNames(database)).to.deep.equal(['bob', 'later']);
    expect(await database.query('select name from public.report')).to.deep.equal([{ name: 'Ann' }]);
    await tenants(orm).rename('later', 'last');
    expect(await schemaNames(database)).to.deep.equal(['bob', 'last']);
  });
});
