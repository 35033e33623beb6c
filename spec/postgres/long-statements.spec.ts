import { expect } from 'chai';
import { controlOf, mayWrite } from '../../dist/connection/statements/statement-kinds.js';
import { findSessionStatement } from '../../dist/postgres/session-statement.js';
import { partsOf } from '../../dist/postgres/transaction-statements.js';
import { hasUnqualifiedNames } from '../../dist/postgres/unqualified-names.js';

const LENGTH = 6_000_000;

const repeat = (text: string): string => text.repeat(LENGTH / text.length);

/** What a scanner could read character by character, by a stack, or again and again. */
const STATEMENTS: Readonly<Record<string, () => string>> = {
  'a literal': () => `insert into "acme"."book" ("title") values ('${repeat('x')}')`,
  quotes: () => `insert into "acme"."book" ("title") values ('${repeat(`''`)}')`,
  'quotes with escapes': () => `insert into "acme"."book" ("title") values (E'${repeat(String.raw`\'`)}')`,
  'rows of values': () => `insert into "acme"."book" ("id", "title") values ${repeat(`(1, 'it''s'), `)}(1, '')`,
  'a comment': () => `/*${repeat('* / ')}*/ insert into "acme"."book" ("id") values (1)`,
  'comments in comments': () => `/*${repeat('/*  */')}*/ insert into "acme"."book" ("id") values (1)`,
  operators: () => `select ${repeat('+')} 1`,
  parentheses: () => `insert into "acme"."book" ("id") select ${'('.repeat(LENGTH / 8)}1${')'.repeat(LENGTH / 8)}`,
};

describe('statements of many megabytes', () => {
  for (const [title, statement] of Object.entries(STATEMENTS)) {
    it(`law 2: are read in time: ${title}`, () => {
      const sql = statement();

      expect(hasUnqualifiedNames(sql)).to.equal(title === 'operators');
      expect(mayWrite(sql)).to.equal(title !== 'operators');
      expect(partsOf(sql)).to.equal(undefined);
      expect(partsOf(`${sql}; commit`)?.map(({ kind }) => kind)).to.deep.equal(['other', 'end']);
      expect(controlOf(sql)).to.equal(undefined);
      expect(findSessionStatement(sql)).to.equal(undefined);
    });
  }
});
