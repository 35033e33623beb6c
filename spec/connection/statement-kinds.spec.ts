import { expect } from 'chai';
import {
  canHaveTransaction,
  controlOf,
  mayWrite,
  onlyLocks,
  schemasGranted,
  schemasRenamedOrDropped,
} from '../../dist/connection/statements/statement-kinds.js';

const WRITES = [
  'insert into "acme"."note" ("text") values (1)',
  '  UPDATE "acme"."note" set "text" = 1',
  '/* why */ delete from "acme"."note"',
  '/* a * b ** c */ -- d\n delete from "acme"."note"',
  'merge into "acme"."note" using x on true when matched then delete',
  'with x as (delete from "acme"."note" returning *) select * from x',
  'with x as (select 1) insert into "acme"."note" select * from x',
  'call "acme"."write"()',
  'do $$ begin perform 1; end $$',
  'truncate "acme"."note"',
  'refresh materialized view "acme"."digest"',
  'select 1; delete from "acme"."note"',
  `select ';'; delete from "acme"."note"`,
  '; delete from "acme"."note"',
  'select 1;; -- ;\n /* ; */ delete from "acme"."note"',
  'select "id" into "acme"."copy" from "acme"."note"',
  'explain (costs off, analyze) delete from "acme"."note"',
  'explain analyse execute x',
  `copy "acme"."note" from '/x'`,
  'execute x',
];

const READS = [
  'select * from "acme"."note"',
  'select * from "acme"."note";',
  'select * from "acme"."note"; -- a\n ; /* ; b */',
  `select * from "acme"."note" where "text" = '; delete from x'`,
  `select * from "acme"."note" where "text" = E'\\'; delete from x'`,
  'select "a;b" from "acme"."note" -- c; d',
  'select $$a; b$$, $x$ c; $y$ d $x$',
  'select 1 /* a; b */',
  'with x as (select * from "acme"."note") select * from x',
  `with x as (select 'insert') select "update" from x`,
  '(select 1) union (select 2)',
  'explain select 1',
  `explain analyze select * from "acme"."note" where "text" = 'update'`,
  `select 'into', "into" from "acme"."note" -- into`,
  'show search_path',
];

/** What PostgreSQL runs in no transaction, or what is about one or about the session. */
const ALONE = [
  'create index concurrently on book (title)',
  'CREATE UNIQUE INDEX CONCURRENTLY "of_title" on "acme"."book" ("title")',
  '/* why */ drop  index\nconcurrently "acme"."of_title"',
  'alter table "acme"."visit" detach partition "acme"."visit_2020" concurrently',
  'alter table visit\n  detach partition visit_2020\n  concurrently',
  'create /* why */ index -- at night\n concurrently on book (title)',
  'drop/**/database other',
  'create database other',
  'drop database other',
  `create tablespace fast location '/fast'`,
  'alter subscription theirs disable',
  `alter system set work_mem = '8MB'`,
  'vacuum book',
  'set search_path to acme',
  'begin',
  'select 1; commit',
];

const IN_ONE = [
  'select * from book',
  '(values (1)) union table book',
  'with x as (select 1) select * from x',
  `insert into book values ('concurrently')`,
  'create table concurrently_read (id int)',
  'create unique index on book (title)',
  'create index on concurrently (title)',
  'alter table visit detach partition visit_2020',
  'alter table database_of_books add column system text',
  'comment on table book is null',
];

describe('What a statement does', () => {
  for (const sql of ALONE) {
    it(`C6 is seen to have no transaction of its own: ${sql.replaceAll('\n', ' ')}`, () => expect(canHaveTransaction(sql)).to.equal(false));
  }

  for (const sql of IN_ONE) {
    it(`C6 is seen to be able to have a transaction: ${sql}`, () => expect(canHaveTransaction(sql)).to.equal(true));
  }

  for (const sql of WRITES) {
    it(`S12 is seen to write: ${sql.replaceAll('\n', ' ')}`, () => expect(mayWrite(sql)).to.equal(true));
  }

  for (const sql of READS) {
    it(`S12 is seen to read: ${sql}`, () => expect(mayWrite(sql)).to.equal(false));
  }

  it('G4 to its transaction is seen where it does nothing else', () => {
    expect(
      Object.fromEntries(
        [
          'begin',
          'START TRANSACTION ISOLATION LEVEL SERIALIZABLE;',
          '/* why */ commit',
          '/* a /* nested */ comment */ commit',
          'commit /* ; */',
          'commit -- ; why',
          ';commit;;',
          `prepare transaction 'x'`,
          `prepare transaction 'x;y'`,
          'rollback to savepoint "s;t"',
          'prepare x as select 1',
          'end',
          'rollback',
          'abort work',
          'savepoint s',
          'savepoint "A ""b"""',
          'commit and chain',
          'ROLLBACK WORK AND CHAIN;',
          'commit and no chain',
          'rollback to s',
          'ROLLBACK WORK TO SAVEPOINT S ;',
          'rollback to savepoint "S"',
          'rollback  to\n savepoint  "S"',
          'abort\ntransaction  to s',
          'release savepoint s',
          'set local role x',
          'set transaction read only',
          'show search_path',
          'begin; delete from "acme"."note"',
          'select 1',
          'beginning',
        ].map(sql => [sql, controlOf(sql)]),
      ),
    ).to.deep.equal({
      begin: { kind: 'begin' },
      'START TRANSACTION ISOLATION LEVEL SERIALIZABLE;': { kind: 'begin' },
      '/* why */ commit': { kind: 'commit' },
      '/* a /* nested */ comment */ commit': { kind: 'commit' },
      'commit /* ; */': { kind: 'commit' },
      'commit -- ; why': { kind: 'commit' },
      ';commit;;': { kind: 'commit' },
      [`prepare transaction 'x'`]: { kind: 'commit' },
      [`prepare transaction 'x;y'`]: { kind: 'commit' },
      'rollback to savepoint "s;t"': { kind: 'rollback to', name: 's;t' },
      'prepare x as select 1': undefined,
      end: { kind: 'commit' },
      rollback: { kind: 'rollback' },
      'abort work': { kind: 'rollback' },
      'savepoint s': { kind: 'savepoint', name: 's' },
      'savepoint "A ""b"""': { kind: 'savepoint', name: 'A "b"' },
      'commit and chain': { kind: 'commit and chain' },
      'ROLLBACK WORK AND CHAIN;': { kind: 'rollback and chain' },
      'commit and no chain': { kind: 'commit' },
      'rollback to s': { kind: 'rollback to', name: 's' },
      'ROLLBACK WORK TO SAVEPOINT S ;': { kind: 'rollback to', name: 's' },
      'rollback to savepoint "S"': { kind: 'rollback to', name: 'S' },
      'rollback  to\n savepoint  "S"': { kind: 'rollback to', name: 'S' },
      'abort\ntransaction  to s': { kind: 'rollback to', name: 's' },
      'release savepoint s': { kind: 'other' },
      'set local role x': { kind: 'other' },
      'set transaction read only': { kind: 'other' },
      'show search_path': { kind: 'other' },
      'begin; delete from "acme"."note"': undefined,
      'select 1': undefined,
      beginning: undefined,
    });
  });

  it('G4 to its transaction is seen behind a long comment, and not in a long message of several', () => {
    const comment = `/* ${'why; '.repeat(200)}*/`;
    const rest = `insert into "acme"."note" ("text") values ('commit; begin');\n`.repeat(50);

    for (const sql of [`${comment} commit`, `commit; ${comment}`, `;; commit ${comment};;`]) {
      expect(controlOf(sql)).to.deep.equal({ kind: 'commit' });
    }

    for (const sql of [`begin;\n${rest}`, `${comment} begin; select 1`, `${comment}\n${rest}`, `commit ${comment}; select 1`]) {
      expect(controlOf(sql)).to.equal(undefined);
    }
  });

  it('S12 to the names of schemas is seen, in whatever statement', () => {
    expect(
      [
        'drop schema "acme" cascade',
        'DROP SCHEMA IF EXISTS acme',
        'alter schema "a""b" rename to "c"',
        'select 1; alter schema Bob rename to x; drop schema carol',
        'drop table "acme"."note"',
        'drop  schema\nacme , "bob",Carol cascade',
        '/* drop schema erik */ alter /* why */ schema acme rename to bob',
      ].map(schemasRenamedOrDropped),
    ).to.deep.equal([['acme'], ['acme'], ['a"b'], ['bob', 'carol'], [], ['acme', 'bob', 'carol'], ['acme']]);
  });

  it('S12 to lock tables and do nothing else is seen', () => {
    for (const sql of [
      'lock "acme"."note"',
      'LOCK TABLE note IN SHARE MODE',
      'lock table note; ',
      'lock note -- ; why',
      '/* why */ lock note',
    ]) {
      expect(onlyLocks(sql), sql).to.equal(true);
    }

    for (const sql of ['lock table note; select 1', 'select 1', 'select 1; lock table note']) {
      expect(onlyLocks(sql), sql).to.equal(false);
    }
  });

  it('S12 to who may use or owns schemas is seen, in whatever statement', () => {
    expect(
      [
        'grant usage on schema acme to x',
        'REVOKE all\nON  SCHEMA "acme",bob , "a""b"\n, Carol FROM x',
        'alter schema "acme" owner to x; grant create on schema bob to x',
        'grant select on all tables in schema acme to x',
      ].map(schemasGranted),
    ).to.deep.equal([['acme'], ['acme', 'bob', 'a"b', 'carol'], ['acme', 'bob'], []]);
  });
});
