import { expect } from 'chai';
import { hasNames } from '../../dist/postgres/name-scanner.js';
import { isPlainWrite } from '../../dist/postgres/unqualified-names.js';

const PLAIN = [
  `insert into "acme"."book" ("title", "pages") values ('It''s', 1), ('', null) returning "id"`,
  `insert into "acme"."tag" ("id") values (default), (2)`,
  `insert into "acme"."author" ("name", "email") values ('x', 'y') on conflict ("email") do update set "name" = excluded."name" returning "id"`,
  `insert into "acme"."author" ("name", "a", "b") values ('x', 1, 2) on conflict ("a", "b") do update set "name" = excluded."name", "a" = excluded."a"`,
  `insert into "acme"."tag" ("id") values (1) on conflict ("id") do nothing`,
  `update "acme"."book" set "title" = 'x', "pages" = 2 where "id" = 1`,
  `update "acme"."book" set "pages" = 2 where "id" = 1 and "version" = 3 returning "version"`,
  `delete from "acme"."book" where "id" in (1, 2)`,
];

const NOT_PLAIN = [
  `insert into "book" ("title") values ('x')`,
  `insert into "acme"."book" ("title") values (title)`,
  `insert into "acme"."book" ("title") values ("title")`,
  `insert into "acme"."book" ("title") values (now())`,
  `insert into "acme"."book" ("title") values ('x'::mood)`,
  `insert into "acme"."book" ("title") values ('x'), (current_setting('x'))`,
  `insert into "acme"."book" ("title") values ('x\\'), (f('y'))`,
  `insert into "acme"."book" ("title") values ('x'); drop table book`,
  `insert into "acme"."book" ("title") values ('x') returning (select max(id) from book)`,
  `insert into "acme"."tag" ("id") values (1) on conflict ("id" "ops") do nothing`,
  `insert into "acme"."tag" ("id") values (1) on conflict ((lower("id"))) do nothing`,
  `insert into "acme"."tag" ("id") values (1) on conflict ("id") where mine("id") do nothing`,
  `insert into "acme"."tag" ("id") values (1) on conflict ("id") do update set "id" = "tag"."id"`,
  `insert into "acme"."tag" ("id") values (1) on conflict ("id") do update set "id" = excluded."id" + 1`,
  `insert into "acme"."tag" ("id") values (1) on conflict ("id") do update set "id" = excluded."id" where f()`,
  `insert into "pg_catalog"."pg_settings" ("name") values ('x') on conflict ("name") do update set "setting" = excluded."name"`,
  `update "acme"."book" set "title" = "other" where "id" = 1`,
  `update "pg_catalog"."pg_settings" set "setting" = 'x' where "name" = 'search_path'`,
  `update "acme"."book" set "title" = 'x' where "id" = 1 or true`,
  `update "acme"."book" set "title" = 'x'`,
  `delete from "acme"."book" where "id" in (select 1)`,
  `delete from "book" where "id" = 1`,
];

describe('isPlainWrite', () => {
  for (const sql of PLAIN) {
    it(`C7, law 3: sees that nothing in it is looked up on the path: ${sql}`, () => {
      expect(isPlainWrite(sql)).to.equal(true);
      expect(hasNames(sql)).to.equal(false);
    });
  }

  it('C7, law 2: leaves to the scanner what may have a name without a schema', () => {
    expect(NOT_PLAIN.filter(isPlainWrite)).to.deep.equal([]);
  });

  it('C7, law 2: takes nothing for plain that the scanner finds a name in, whatever its parts are put together to', () => {
    const pieces = [...new Set([...PLAIN, ...NOT_PLAIN].flatMap(sql => sql.split(/(?<=[ ,()'"])|(?=[ ,()'".])/)))];
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    let plain = 0;

    for (let n = 0; n < 60_000; n += 1) {
      const parts = (PLAIN[random(PLAIN.length)] as string).split(/(?<=[ ,()'"])|(?=[ ,()'".])/);

      for (let change = random(3); change >= 0; change -= 1) {
        parts.splice(random(parts.length), random(3), ...Array.from({ length: random(3) }, () => pieces[random(pieces.length)] as string));
      }

      const sql = parts.join('');

      if (isPlainWrite(sql)) {
        plain += 1;
        expect(hasNames(sql), sql).to.equal(false);
      }
    }

    expect(plain).to.be.greaterThan(1_000);
  });
});
