import { expect } from 'chai';
import { hasUnqualifiedNames } from '../../dist/postgres/unqualified-names.js';

const QUALIFIED = [
  'select * from "acme"."book" where "id" = $1 and "title" != $2 or "pages" in ($3, $4)',
  `select "b0".* from "acme"."book" as "b0" where "b0"."id" = 1 limit 2`,
  `select "b0".*, "a1"."id" as "a1__id" from "acme"."book" as "b0" left join "acme"."author" as "a1" on "b0"."author_id" = "a1"."id" where "b0"."title" is distinct from 'x from book' order by "b0"."id" asc for update of "b0"`,
  `insert into "acme"."tag" ("id", "name") values (1, E'it\\'s from book') on conflict ("id") do update set "name" = excluded."name" returning "id"`,
  `truncate table "acme"."loan" restart identity cascade`,
  `update "acme"."book" set "title" = $1 where "id" in (select "b0"."id" from "acme"."book" as "b0")`,
  `select "a""b"."c" from "acme"."a""b"`,
  `select count(*) as "count" from "acme"."book" -- from book`,
  `select '"' || 'it''s from tag' /* from tag */ as "x"`,
  'select 1.5, 1e3',
  `select pg_catalog.current_setting('search_path')`,
  `select "b0"."id" from "acme"."book" as "b0" where "b0"."id" in (1) for update skip locked`,
  `select "b0"."id" from "acme"."book" as "b0" for no key update nowait`,
  `select $1 from "acme"."book" as "b0" order by "x", "y"`,
  `select $1 from "acme"."book" as "b0" where "b0"."id" in ("x", "y") group by "x", "y"`,
  `select $1, "x"[1:"y"]`,
  `select $1 from "we""ird"."book", "acme"."a""b"`,
  `select coalesce('it''s from book', 'isn''t it from "book"')`,
  `select $1 from "acme"."book" as "b0" for update of "b0"`,
  `select * from unnest($1) as "x"`,
  `select $1::text, $2::double precision, $3::jsonb, string_agg("b0"."title", ',') from "acme"."book" as "b0"`,
  `insert into "acme"."tag" ("id") select "b0"."id" from "acme"."book" as "b0" on conflict ("id") do update set "id" = excluded."id"`,
  `select * from "acme"."book" as "b0" where "b0"."id" is not distinct from "b0"."copies"`,
  `select * from "acme"."book" as "b0" join (values (1)) as "x" on true`,
  `select $1 from only "acme"."book" as "b0" left join lateral (select "t"."id" from "acme"."tag" as "t") as "x" on true`,
];

const UNQUALIFIED = [
  // what looks almost as Kysely writes it
  'select * from "book" where "id" = $1',
  'select * from "acme"."book", "tag" where "id" = $1',
  'select * from "acme"."book" where "score" ($1) = 1',
  'select * from "acme"."book" where "id" = "score"($1)',
  'select * from "acme"."book" where "id" = $1::"mood"',
  'select * from "acme"."book" where "id" in (select "id" from "tag")',
  'select * from "acme"."book" where "id" = any (select "id" from "tag" where "id" = $1)',
  'select * from "acme"."book" where "id" = $1 union select * from "tag" where "id" = $2',
  'select title from book',
  'select * from "book"',
  'select * from "acme"."book", "tag"',
  'select * from "acme"."book" as "b" join "acme"."tag" as "t" on (1 = 1), "tag"',
  'select * from (select 1) as "s", "tag"',
  // a word that begins a clause elsewhere may be the alias of a table
  'select * from "acme"."tag" as values, "book"',
  'select * from "acme"."tag" values, "book"',
  'select * from "acme"."tag" set, "book"',
  'select * from "acme"."tag" as "t" join "acme"."author" as set on true, "book"',
  'select * from (select 1) as values, "book"',
  'delete from "acme"."tag" using "acme"."author" as set, "book"',
  'update "acme"."tag" set "id" = 1 from "acme"."author" values, "book"',
  'insert into "acme"."tag" select 1 from "acme"."author" set, "book" on conflict do nothing',
  // and so may a column, or a table
  'select * from "acme"."tag" as "t" join "acme"."author" as "a" on set, "book"',
  'select * from "acme"."tag" as "t" join "acme"."author" as "a" on "a"."id" = values, "book"',
  'select * from (values cross join "acme"."tag")',
  // an alias
  'select "t"."id" distinct from "book" as "t"',
  'select * from "acme"."tag" where exists (select 1 distinct from "book")',
  'select * from only "book"',
  'select * from ("tag" join "acme"."book" on true)',
  'select (select count(*) from "book")',
  'select 1 where exists (select from "a""b")',
  'delete from "acme"."book" using "tag"',
  'update "book" set "id" = 1',
  'insert into "tag" default values',
  'table "book"',
  'table book',
  'select score("b0"."id") from "acme"."book" as "b0"',
  'select "score" (1)',
  `select 'x'::"mood"`,
  `select 'x' :: "mood"`,
  'select cast($1 as "mood")',
  `select 'book'::regclass`,
  'call "p"()',
  'set search_path to bob',
  'reset role',
  'do $$ begin end $$',
  'select 1; select 2',
  'select "unfinished',
  `select 'unfinished`,
  'lock table "book"',
  'select U&"book" from "acme"."book"',
  `select pg_catalog.set_config('search_path', 'bob', false)`,
  'select "public"."first_title"() as "x"',
  'select * from public.first_title () as "x"',
  'select "first_title"/* */()',
  'select * from share',
  'select * from date, key',
  'select * from "acme"."book" join rank on true',
  'insert into text (id) values (1)',
  `select 1 -- '\rfrom book`,
  'select "all',
  'select $$ all $$',
  `select 'all`,
  'select * from "acme.book"',
  'select "public"."first_title" -- of all\n()',
  'select "public"."first_title" /* of all */ ()',
  `select not_pg_catalog.current_setting('search_path')`,
  `select pg_catalog.current_setting_of('search_path')`,
  'select * from ("acme"."book", "tag")',
  'insert into text ("id") values (1)',
  'insert into count (id) values (1)',
  'update text set "id" = 1',
  'select * from nowait',
  'select * from skip',
  'select * from of',
  `set "search_path" = 'bob'`,
  `set "role" = 'pg_monitor'`,
  '/* one */ set "search_path" = default',
  'fetch "c"',
  `update "pg_catalog"."pg_settings" set "setting" = 'bob' where "name" = 'search_path'`,
  String.raw`select '\'' ; commit; --'`,
  `update only pg_catalog.PG_SETTINGS as s set "setting" = $1`,
  `with "x" as (update pg_catalog . "pg_settings" set "setting" = $1 returning *) select * from "acme"."book" as "b0"`,
];

describe('names that the search path decides', () => {
  for (const sql of QUALIFIED) {
    it(`C7, law 3: there is none in: ${sql}`, () => {
      expect(hasUnqualifiedNames(sql)).to.equal(false);
    });
  }

  for (const sql of UNQUALIFIED) {
    it(`C7, law 2: there is one in: ${sql}`, () => {
      expect(hasUnqualifiedNames(sql)).to.equal(true);
    });
  }
});
