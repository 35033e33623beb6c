import { expect } from 'chai';
import { repoint } from '../../../dist/provisioning/clone/repoint.js';
import { unqualified } from '../../../dist/provisioning/clone/unqualified.js';

const body = (text: string, language = 'plpgsql'): string =>
  `CREATE FUNCTION f() RETURNS int LANGUAGE ${language} AS $function$${text}$function$`;

/** What is surely the name of the schema, and what becomes of it. */
const FOLLOWS: Readonly<Record<string, string>> = {
  'select * from acme.book': 'select * from "bob".book',
  'select * from "acme"."book"': 'select * from "bob"."book"',
  'select * from ACME . book': 'select * from "bob" . book',
  'acme.f(acme.g(1))::acme.kind': '"bob".f("bob".g(1))::"bob".kind',
  'r acme.book%rowtype': 'r "bob".book%rowtype',
};

/** What is not the name of the schema. */
const STAYS = [
  'select x.acme, y.acme.z from t',
  'select * from acme_2.book, "Acme".book, acme$.book',
  'select 1 -- acme.book is not read\n',
  'select /* acme.book */ 1',
  'declare acme int; begin return acme; end',
  `select 'acmes', 'an acme_2'`,
];

/** What may be the name of the schema, now or when it is run. */
const REFUSED = [
  `execute 'select * from acme.book'`,
  `perform set_config('search_path', 'acme', true)`,
  `execute format('select * from %I.book', 'acme')`,
  `select E'acme.book'`,
  'execute $q$ delete from acme.book $q$',
  'execute $q$acme.f()$q$',
  'execute format($$%I.f()$$, $$acme$$)',
  'set local search_path to acme, public',
  'set search_path = acme',
  `execute 'delete from ' || 'ACME.book'`,
  'grant select on all tables in schema acme to public',
  'select acme.id from author acme',
  'declare acme record; begin select * into acme from acme.book; return acme.id; end',
];

describe('the name of the source in the definitions of a clone', () => {
  for (const [text, expected] of Object.entries(FOLLOWS)) {
    it(`L1 follows in ${text}`, () => {
      expect(repoint(body(text), { from: 'acme', to: 'bob' })).to.deep.equal({ sql: body(expected), left: [] });
      expect(repoint(body(text, 'sql'), { from: 'acme', to: 'bob' }).left).to.deep.equal([]);
    });
  }

  for (const text of STAYS) {
    it(`L1 stays in ${text.trim()}`, () => {
      expect(repoint(body(text), { from: 'acme', to: 'bob' })).to.deep.equal({ sql: body(text), left: [] });
    });
  }

  for (const text of REFUSED) {
    it(`L1 is refused in ${text}`, () => {
      expect(repoint(body(text), { from: 'acme', to: 'bob' }).left).to.have.length.above(0);
    });
  }

  it('L1 follows in the path that a function has, and is refused in a language that is not read', () => {
    const withPath = (name: string): string =>
      `CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path TO 'public', '${name}' AS $function$select 1$function$`;
    expect(repoint(withPath('acme'), { from: 'acme', to: 'bob' })).to.deep.equal({ sql: withPath('bob'), left: [] });
    expect(repoint(body('return "acme.book"', 'plpython3u'), { from: 'acme', to: 'bob' }).left).to.have.length(1);
    expect(repoint(`alter table only t alter column c set default 'acme'::text`, { from: 'acme', to: 'bob' }).left).to.have.length(1);
  });

  it('L1 of a definition, the schema is taken off what it is of, and off nothing else', () => {
    expect(
      unqualified('CREATE INDEX "acme.b" ON ONLY acme.book USING btree (acme.f(acme))', { schemaName: 'acme', name: 'book' }),
    ).to.equal('CREATE INDEX "acme.b" ON ONLY book USING btree (acme.f(acme))');
    expect(
      unqualified('CREATE RULE r AS ON INSERT TO "acme"."Odd ""one""" DO NOTHING', { schemaName: 'acme', name: 'Odd "one"' }),
    ).to.equal('CREATE RULE r AS ON INSERT TO "Odd ""one""" DO NOTHING');
  });
});
