import fc from 'fast-check';
import type { SessionState } from '../databases/session-state.ts';

/** What code in a scope does with raw SQL, or what somebody does outside of scopes in between. */
export type Step = Work | Outside;

export interface Work {
  readonly scope: 'acme' | 'public';
  readonly place: Place;
  readonly statements: readonly string[];
}

export interface Outside {
  readonly outside: string;
  /** What it changes for the session. */
  readonly leaves: Partial<SessionState>;
}

type Place = 'by itself' | 'message' | 'transaction' | 'savepoint' | 'thrown' | 'dump';

export interface RawSqlOptions {
  /** A role that may do everything, as the session's own. */
  readonly role: string;
  /** PGlite takes no message of several statements, and no rollback there takes back whose session it is. */
  readonly isPglite: boolean;
  /** What reads, to tell whose it is. */
  readonly reads: readonly string[];
}

/** Lists of such steps. */
export function anySteps({ role, isPglite, reads }: RawSqlOptions): fc.Arbitrary<readonly Step[]> {
  const statement = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...reads) },
    { weight: 4, arbitrary: fc.constantFrom(...SETTING, ...(isPglite ? [] : OF_SESSION)) },
    { weight: 4, arbitrary: fc.constantFrom(...ENDING) },
    { weight: 2, arbitrary: fc.constantFrom(...FAILING) },
    { weight: 2, arbitrary: fc.constantFrom(...OTHERS) },
  );
  const places: Place[] = [
    'by itself',
    'transaction',
    'savepoint',
    'thrown',
    'dump',
    ...(isPglite ? [] : (['message', 'message'] as const)),
  ];
  const work: fc.Arbitrary<Work> = fc.record({
    scope: fc.constantFrom('acme', 'acme', 'public'),
    place: fc.constantFrom(...places),
    statements: fc.array(statement, { minLength: 1, maxLength: 6 }),
  });
  const outside: fc.Arbitrary<Outside> = fc.constantFrom(
    { outside: 'set search_path to public, pg_catalog', leaves: { path: 'public, pg_catalog' } },
    { outside: 'set search_path to public', leaves: { path: 'public' } },
    { outside: `set role ${role}`, leaves: { role } },
    { outside: 'set role none', leaves: { role: 'none' } },
  );

  return fc.array(fc.oneof({ weight: 3, arbitrary: work }, { weight: 1, arbitrary: outside }), { minLength: 1, maxLength: 6 });
}

/** What sets path, role or user, for the session or for less. */
const SETTING = [
  'set search_path to bob',
  'set local search_path to bob',
  'set session search_path to acme, bob',
  `set "search_path" = 'bob'`,
  `set schema 'bob'`,
  'reset search_path',
  'set role pg_monitor',
  'set local role pg_monitor',
  'set session role pg_monitor',
  'set role none',
  'reset role',
  `set "role" = 'pg_monitor'`,
  'reset all',
  `select set_config('search_path', 'bob', false)`,
  `select set_config('search_path', 'bob', true), set_config('role', 'pg_monitor', true)`,
  `select pg_catalog.set_config('role', 'pg_monitor', false)`,
  `set landlord.search_path = 'bob'`,
  'select public.sets_session()',
  `do $$ begin set role pg_monitor; set search_path to bob; end $$`,
  `do $$ begin perform set_config('search_path', 'bob', false), 1 / 0; exception when others then set role pg_monitor; end $$`,
  `update "pg_catalog"."pg_settings" set "setting" = 'bob' where "name" = 'search_path'`,
  `update pg_settings set setting = 'pg_monitor' where name = 'role'`,
  `with s as (update pg_settings set setting = 'bob' where name = 'search_path' returning 1) select 1`,
] as const;

const OF_SESSION = [
  'set session authorization pg_monitor',
  'set local session authorization pg_monitor',
  'reset session authorization',
] as const;

const ENDING = [
  'begin',
  'start transaction',
  'begin isolation level serializable',
  'commit',
  'commit work;',
  'end',
  '/* the end */ rollback',
  'abort -- all',
  'commit and chain',
  'rollback and chain',
  'savepoint s',
  'savepoint t',
  'rollback to s',
  'rollback to savepoint t',
  'release s',
  'set transaction isolation level serializable',
  'set transaction read only',
] as const;

const FAILING = [
  'select 1/0',
  'select * from nowhere',
  'this is no sql',
  `insert into tag (id, name) values (1, 'taken')`,
  `select 'open`,
] as const;

const OTHERS = [
  'select 1',
  `select 'a; commit; b'`,
  `select $x$; commit; $x$, E'\\'; commit; '`,
  'lock table book in share mode',
  'set local statement_timeout = 20000',
  'show search_path',
  'set constraints all deferred',
  `create or replace function pg_temp.f() returns int language sql begin atomic select case when true then 1 end; end`,
] as const;

/** What a transaction is told, and what shows how it has taken that. */
export const ABOUT_TRANSACTIONS = [
  'savepoint a',
  'savepoint b',
  'rollback to a',
  'rollback to savepoint b',
  'release a',
  'release savepoint b',
  'set transaction isolation level serializable',
  'set transaction isolation level repeatable read',
  'set transaction read only',
  'set local transaction_isolation = serializable',
  'commit',
  'rollback',
  'end work',
  'abort',
  'begin',
  'start transaction isolation level repeatable read',
  'commit and chain',
  'rollback and chain',
  'select 1/0',
  'select * from nowhere',
  `insert into tag (id, name) values (100, 'a hundred')`,
  `insert into tag (id, name) values (101, 'one more')`,
  'delete from tag where id = 100',
  'select id from tag order by id',
  `select current_setting('transaction_isolation') as level, current_setting('transaction_read_only') as read_only`,
  `select current_setting('statement_timeout') as timeout`,
  'lock table tag in share mode',
  'set local statement_timeout = 20000',
  'set statement_timeout = 30000',
  'reset statement_timeout',
  'set constraints all deferred',
  'show transaction_isolation',
] as const;
