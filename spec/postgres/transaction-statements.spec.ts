import { expect } from 'chai';
import fc from 'fast-check';
import { partsOf } from '../../dist/postgres/transaction-statements.js';
import { checkProperty } from '../support/generators/property.ts';

/** Single statements, by what they are to their transaction. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  begin: [
    'begin',
    'BEGIN WORK',
    'begin isolation level serializable',
    'start transaction',
    '/* one */ begin',
    'start\ttransaction read only',
  ],
  end: [
    'commit',
    'end',
    'abort',
    'rollback',
    'commit work',
    'rollback and no chain',
    `prepare transaction 'x'`,
    `prepare transaction E'x'`,
    'end -- now',
  ],
  chain: ['commit and chain', 'rollback work and chain', 'abort and chain'],
  savepoint: ['savepoint s', 'savepoint "a; b"', '/* a /* nested */ one */ savepoint s'],
  plain: [
    `set transaction snapshot '00000003-0000001B-1'`,
    'set "transaction_isolation" = serializable',
    'release s',
    'release savepoint s',
    'rollback to s',
    'rollback work to savepoint s',
    `commit prepared 'x'`,
    `rollback prepared 'x'`,
    'set transaction isolation level serializable',
    'set local transaction_isolation = serializable',
    'set session characteristics as transaction read only',
    'set constraints all deferred',
    `set local statement_timeout to '1s'`,
    'set session_replication_role = replica',
    `set app.visitor = 'one; two'`,
    `set time zone 'utc'`,
    `set names 'utf8'`,
    'reset statement_timeout',
    'show transaction isolation level',
    'notify news',
  ],
  lock: ['lock table book', 'lock book in share mode nowait'],
};

/** Single statements that set path or role, or have names that are looked up. */
const OTHERS: readonly string[] = [
  'select 1',
  '',
  ';',
  '-- commit',
  'set search_path to bob',
  'set local search_path = bob',
  `set schema 'bob'`,
  'SET\nROLE x',
  'set local role x',
  'set role=x',
  'set session authorization x',
  'set local session authorization x',
  'set session_authorization = x',
  'set "role" = x',
  'set U&"role" = x',
  'reset role',
  'reset all',
  'reset session authorization',
  'show search_path',
  'show all',
  'set default_text_search_config = mine',
  'set constraints one deferred',
  'prepare find as select 1',
  'commit now',
  'end if',
  'begin atomic',
  `select 'a; commit'`,
  `select E'\\'; commit; '`,
  'select "a; commit"',
  'select $$; commit; $$',
  'select $a$; commit; $b$; $a$',
  'select 1 /* ; commit */ -- ; commit',
  `select 'never closed; commit`,
  'create function f() returns int language sql begin atomic select case when true then 1 end; select 2; end',
  'create or replace procedure p() begin atomic select 1; end',
  'create rule r as on insert to a do also (delete from b; notify c)',
  `do $do$ begin commit; end $do$`,
  'select 1; select 2; select 3',
  `set a = 1; select 'commit'`,
];

describe('statements about transactions', () => {
  for (const [kind, statements] of Object.entries(KINDS)) {
    for (const sql of statements) {
      it(`N6 ${JSON.stringify(sql)} is ${kind}`, () => {
        for (const sent of [sql, `${sql}\n;`, ` -- first\n${sql}`]) {
          expect(partsOf(sent)?.map(part => part.kind)).to.deep.equal([kind]);
        }
      });
    }
  }

  for (const sql of OTHERS) {
    it(`N6 ${JSON.stringify(sql)} has none`, () => {
      expect(partsOf(sql)).to.equal(undefined);
    });
  }

  it('N6 what stands between two of them stays together', () => {
    expect(partsOf(`insert into a values (';'); select 1 ; commit; lock a; show b; set role x; end;`)).to.deep.equal([
      { kind: 'other', sql: `insert into a values (';'); select 1 ` },
      { kind: 'end', sql: ' commit' },
      { kind: 'other', sql: ' lock a; show b; set role x' },
      { kind: 'end', sql: ' end' },
    ]);
    expect(partsOf('begin; lock a; set b = 1; end')?.map(({ kind }) => kind)).to.deep.equal(['begin', 'lock', 'end']);
  });

  it('N6 each is found in whatever stands around it, and nothing of that is lost', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', ' ', ';', "'", '"', '$', '\\', '-', '/', '*', '(', ')', '\n', 'commit', 'begin', 'end'),
      maxLength: 12,
    });
    const quoted = fc.oneof(
      text.map(inner => `'${inner.replaceAll("'", "''")}'`),
      text.map(inner => `"${inner.replaceAll('"', '""')}"`),
      text.map(inner => `E'${inner.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
      text.map(inner => `$q$${inner.replaceAll('$', '')}$q$`),
      text.map(inner => `/*${inner.replaceAll(/[*/]/g, '')}*/`),
      text.map(inner => `--${inner.replaceAll('\n', '')}\n`),
      text.map(inner => `(${inner.replaceAll(/['"$\\/*()-]/g, '')})`),
    );
    const other = fc.array(quoted, { maxLength: 4 }).map(pieces => ({ kind: 'other', sql: `select ${pieces.join(' , ')}` }));
    const known = fc.constantFrom(...Object.entries(KINDS).flatMap(([kind, all]) => all.map(sql => ({ kind, sql }))));

    await checkProperty(
      'parts of messages',
      fc.asyncProperty(fc.array(fc.oneof(other, known), { minLength: 1, maxLength: 6 }), async statements => {
        // a comment to the end of the line would take the semicolon along
        const message = statements.map(({ sql }) => `${sql}\n`).join(';');
        const parts = partsOf(message) ?? [{ kind: 'other', sql: message }];
        const together = ['other', 'lock', 'plain'];
        const expected: string[] = [];

        for (const { kind } of statements) {
          const last = expected.at(-1);

          if (last !== undefined && together.includes(last) && together.includes(kind)) {
            expected[expected.length - 1] = last === kind ? kind : last === 'other' || kind === 'other' ? 'other' : 'lock';
          } else {
            expected.push(kind);
          }
        }

        expect(parts.map(({ kind }) => kind)).to.deep.equal(expected);
        expect(parts.map(({ sql }) => sql).join(';')).to.equal(message);
      }),
      500,
    );
  });
});
