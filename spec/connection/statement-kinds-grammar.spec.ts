import { expect } from 'chai';
import fc from 'fast-check';
import {
  canHaveTransaction,
  controlOf,
  isSingle,
  mayWrite,
  onlyLocks,
  schemasGranted,
  schemasRenamedOrDropped,
} from '../../dist/connection/statements/statement-kinds.js';
import { effort } from '../support/generators/effort.ts';
import { checkProperty } from '../support/generators/property.ts';
import { loadGrammar, statementsOf } from '../support/generators/sql-grammar.ts';

describe('What a statement does, by the grammar of PostgreSQL', () => {
  before(() => loadGrammar());

  it('S12, C6, G4 is not missed, wherever a word, a comment or a semicolon is put into it', async function () {
    this.timeout(600_000);
    const change = fc.record({ at: fc.nat(12), removed: fc.nat(2), added: fc.constantFrom(...PIECES) });
    const message = fc.tuple(fc.array(fc.constantFrom(...STATEMENTS), { minLength: 1, maxLength: 2 }), fc.array(change, { maxLength: 2 }));
    let taken = 0;
    const property = fc.asyncProperty(fc.array(message, { minLength: 100, maxLength: 100 }), async messages => {
      for (const [statements, changes] of messages) {
        const words = statements.join(' ; ').split(' ');
        changes.forEach(({ at, removed, added }) => words.splice(at % (words.length + 1), removed, added));
        const sql = words.join(' ');
        const found = statementsOf(sql);
        taken += found === undefined ? 0 : 1;
        expect(found === undefined ? [] : mistakesIn(sql, found), sql).to.deep.equal([]);
      }
    });
    await checkProperty('kinds by the grammar', property, effort(40, 4_000));

    expect(taken).to.be.greaterThan(500);
  });
});

/** What of the SQL was taken for something else than the grammar says. */
function mistakesIn(sql: string, [only, ...others]: NonNullable<ReturnType<typeof statementsOf>>): string[] {
  if (only === undefined || others.length > 0) {
    const control = controlOf(sql);

    return [
      isSingle(sql) && only !== undefined ? 'single' : '',
      control !== undefined && control.kind !== 'other' ? control.kind : '',
    ].filter(Boolean);
  }

  const [kind, statement] = only;
  const mistakes: string[] = [];
  const demand = (what: string, isRight: boolean): unknown => isRight || mistakes.push(what);
  const control = controlOf(sql);

  if (kind === 'TransactionStmt') {
    const wanted = CONTROLS[statement['kind']];
    demand(`control ${wanted}`, wanted === undefined || control?.kind === (statement['chain'] === true ? `${wanted} and chain` : wanted));
    const name: unknown = wanted === 'savepoint' || wanted === 'rollback to' ? statement['savepoint_name'] : undefined;
    demand(`name ${String(name)}`, name === undefined || (control as { readonly name?: string }).name === name);
  } else {
    // `prepare transaction as …` prepares a statement of that name
    demand('no control', control === undefined || control.kind === 'other' || kind === 'PrepareStmt');
  }

  const isAlone = ALONE.has(kind) || JSON.stringify(statement).includes('"concurrent":true');
  demand('no transaction', !isAlone || !canHaveTransaction(sql));
  demand('lock', onlyLocks(sql) === (kind === 'LockStmt'));
  // `explain analyze` runs what it explains
  const isRun = kind === 'ExplainStmt' && JSON.stringify(statement['options'] ?? []).includes('"analyze"');
  const [ran] = isRun ? Object.keys(statement['query']) : [kind];
  demand('write', !WRITING.has(ran ?? '') || mayWrite(sql));
  const named: readonly string[] = statement['objects']?.map((each: any) => each.String?.sval) ?? [];

  if (statement['removeType'] === 'OBJECT_SCHEMA') {
    demand(
      'dropped',
      named.every(name => schemasRenamedOrDropped(sql).includes(name)),
    );
  } else if (statement['renameType'] === 'OBJECT_SCHEMA') {
    demand('renamed', schemasRenamedOrDropped(sql).includes(statement['subname']));
  } else if (kind === 'GrantStmt' && statement['objtype'] === 'OBJECT_SCHEMA' && statement['targtype'] === 'ACL_TARGET_OBJECT') {
    demand(
      'granted',
      named.every(name => schemasGranted(sql).includes(name)),
    );
  }

  return mistakes;
}

const CONTROLS: Readonly<Record<string, string>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_PREPARE: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_ROLLBACK_TO: 'rollback to',
};

const ALONE: ReadonlySet<string> = new Set(
  'VacuumStmt ReindexStmt CreatedbStmt DropdbStmt CreateTableSpaceStmt AlterSystemStmt AlterSubscriptionStmt CreateSubscriptionStmt'.split(
    ' ',
  ),
);

const WRITING: ReadonlySet<string> = new Set(
  'InsertStmt UpdateStmt DeleteStmt MergeStmt TruncateStmt CallStmt DoStmt RefreshMatViewStmt CopyStmt ExecuteStmt'.split(' '),
);

const STATEMENTS = [
  'begin transaction isolation level serializable , read only',
  'start transaction',
  'commit work and chain',
  'end and no chain',
  'abort and chain',
  'rollback transaction',
  'rollback work to savepoint "s p"',
  'rollback to s',
  `prepare transaction 'x'`,
  `commit prepared 'x'`,
  'savepoint "a ""b"""',
  'release s',
  'lock table "a"."b" in share mode nowait',
  'create unique index concurrently if not exists i on a ( b )',
  'drop index concurrently a',
  'reindex table concurrently a',
  'vacuum a',
  'create database d',
  'drop database d',
  `create tablespace t location 'x'`,
  'alter system set a = 1',
  'alter table a detach partition b concurrently',
  'alter subscription s disable',
  'drop schema if exists "a b" , c cascade',
  'alter schema a rename to b',
  'grant usage on schema a , "b" to c',
  'revoke all on schema a from b',
  'grant select on all tables in schema a to b',
  'insert into "a"."b" values ( 1 )',
  'update "a"."b" set c = 1',
  'delete from "a"."b"',
  'merge into a using b on true when matched then delete',
  'truncate a',
  'refresh materialized view m',
  'call p ( )',
  'do $$ begin end $$',
  'explain analyze update "a"."b" set c = 1',
  'explain ( costs off , analyze ) delete from "a"."b"',
  'explain analyze verbose execute p ( 1 )',
  `copy "a"."b" ( c ) from '/x'`,
  'execute p ( 1 )',
  'set local search_path to x',
  'show all',
  `select 'commit' , "begin" from "a"."b"`,
  'with x as ( select 1 ) insert into "a"."b" select * from x',
  '( values ( 1 ) )',
] as const;

const PIECES = [
  '/* a ; */',
  '-- a ;\n',
  '\n',
  '\t',
  ';',
  '"x"',
  `'x ; y'`,
  'work',
  'transaction',
  'to',
  'savepoint',
  'and chain',
  'begin',
  'commit',
  'end',
  'select 1',
  's',
  ', b',
  '(',
  ')',
  'concurrently',
  'if exists',
  'only',
  `e'\\'' ;`,
  '$a$ ; $a$',
  'as',
  'schema',
  'lock',
  'set',
] as const;
