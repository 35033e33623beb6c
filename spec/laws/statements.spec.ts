import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import fc from 'fast-check';
import { Author, Tag } from '../../fixtures/entities/index.ts';
import { anyText, forAll } from '../support/generators/corpus.ts';
import { onDatabases } from '../support/databases/database.ts';
import { isFilledIn, valuesIn } from '../support/assertions/statement-rule.ts';
import { mochaHooks, offences } from '../support/assertions/statement-watch.ts';
import { ROOT } from '../support/orm/library-orm.ts';
import { contentsOf, openTwins } from '../support/orm/twins.ts';

/** Built at run time, because the rule accepts every literal that is written in a source file. */
const value = ['it', 'is', 'a', 'value'].join(' ');

describe('the watch over every statement of the run', () => {
  const bad: Readonly<Record<string, string>> = {
    'a string': `select "b0".* from "acme"."book" as "b0" where "b0"."title" = '${value}'`,
    'a string with a quote': `select "b0".* from "acme"."book" as "b0" where "b0"."title" = '${value}''s'`,
    'a string with escapes': `select 1 where "b0"."title" = E'${value}\\n'`,
    'a dollar-quoted string': `select $a$${value}$a$`,
    'a number': `select "b0".* from "acme"."book" as "b0" where "b0"."id" = ${12_345 * 7}`,
    'a word': `insert into "acme"."tag" ("name") values ('${value.replaceAll(' ', '_')}')`,
    'an identifier': `set local search_path to "${value}"`,
    'an identifier with a quote': `select * from "ac""me${value.length}"."book"`,
    'a host': ['select 1 from library where x = acme', 'example', 'com'].join('.'),
    'a second statement': `select 1; insert into "acme"."tag" ("name") values ('${value}')`,
  };

  for (const [name, statement] of Object.entries(bad)) {
    it(`N1 sees ${name} in a statement`, () => {
      expect(valuesIn(statement)).not.to.deep.equal([]);
    });
  }

  it('N1 sees nothing in what has its values beside it', () => {
    for (const statement of [
      'select "b0".* from "acme"."book" as "b0" where "b0"."title" = ? and "b0"."id" in (?) limit ?',
      'insert into "acme"."tag" ("id", "name") values ($1, $2) returning "id"',
      `comment on schema "acme" is 'tenant of @landlord/mikro-orm'`,
      'set local search_path to "acme", "extensions"',
      'begin',
    ]) {
      expect(valuesIn(statement), statement).to.deep.equal([]);
    }
  });

  it('N1 sees a value that has become more than one literal', () => {
    expect(isFilledIn('select ? limit ?', ['a', 1], `select 'a' limit 1`)).to.equal(true);
    expect(isFilledIn('select ?', [['a', 'b']], `select 'a', 'b'`)).to.equal(true);
    expect(isFilledIn('select ?', [`a'; --`], `select 'a'''; --'`)).to.equal(false);
    expect(isFilledIn('select ?', [`a' or true`], `select 'a' or true`)).to.equal(false);
    expect(isFilledIn('select ??', ['a"b'], 'select "a"b"')).to.equal(false);
    expect(isFilledIn('select ?', ['a\\'], `select E'a\\'`)).to.equal(false);
  });
});

describe('another copy of the watch, as a spec has that is loaded as an ECMAScript module', () => {
  it('N1 tells what it sees to the same run', async () => {
    const path = pathToFileURL(join(ROOT, 'spec/support/assertions/statement-watch.ts')).href;
    const copy = (await import(`${path}?another`)) as { readonly offences: unknown; readonly mochaHooks: unknown };
    expect(copy.mochaHooks, 'it is another copy').not.to.equal(mochaHooks);
    expect(copy.offences).to.equal(offences);
  });
});

onDatabases('values in statements', database => {
  before(() => openTwins(database));

  it('N1 the watch sees what an ORM of this run sends, by whichever way', async () => {
    const known = offences.length;
    await runInTenant('acme', async em => {
      await em.execute(`select '${value}'`);
      await em.find(Tag, { name: value });
      const kysely = em.getKysely<{ tag: { name: string } }>();
      await kysely.selectFrom('tag').selectAll().where('name', '=', value).execute();
      // not written by MikroORM
      await em.getConnection().executeDump(`select '${value} too'`);
    });
    const seen = offences.splice(known);

    expect(seen.flatMap(({ values }) => values)).to.deep.equal([`'${value}'`, `'${value} too'`]);
  });

  it('N1 law 2: whatever a value is, it is stored and found as it is, and no neighbour sees of it', async () => {
    await database.query(`select setval('acme.author_id_seq', 1000000)`);
    const neighbours = [await contentsOf(database, 'bob'), await contentsOf(database, 'public')];
    let id = 1_000;
    // except characters that PostgreSQL text cannot contain, and the leading byte order mark that PGlite removes
    const storable = fc
      .oneof(
        anyText,
        fc.constantFrom(
          `'; drop schema bob cascade; --`,
          `\\'; select 1 --`,
          `$$`,
          `E'\\\\'`,
          `?`,
          `??`,
          `\\?`,
          `"bob"."author"`,
          `' or true --`,
          `:name`,
          `$1`,
        ),
        fc.tuple(anyText, fc.constantFrom(`'`, `\\`, `\\'`, `?`, `"`), anyText).map(parts => parts.join('')),
      )
      .filter(text => !/[\0\p{Surrogate}]|^\ufeff/u.test(text) && text !== '');

    await forAll(
      storable,
      name =>
        runInTenant('acme', async em => {
          const author = em.create(Author, { id: ++id, name });
          await em.flush();
          em.clear();

          expect((await em.findOneOrFail(Author, { id: author.id, name })).name).to.equal(name);
          expect(await em.qb(Author).where({ id: author.id, name }).getCount()).to.equal(1);
          expect(await em.execute('select name from author where id = ? and name = ?', [author.id, name])).to.deep.equal([{ name }]);
          const clone = await em.clone(Author, { id: author.id, name }, { name });
          expect(clone.name).to.equal(name);
          expect(await em.nativeDelete(Author, { id: clone.id, name })).to.equal(1);
          expect(await em.nativeDelete(Author, { id: author.id, name: { $in: [name, 'x'] } })).to.equal(1);
        }),
      120,
    );

    expect([await contentsOf(database, 'bob'), await contentsOf(database, 'public')]).to.deep.equal(neighbours);
  });
});
