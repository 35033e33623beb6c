import { quoteLiteral } from '../../postgres/quote-literal.js';
import { namesOfPath, quoteIdentifier, searchPathOf } from '../../postgres/schema-name.js';
import type { Around, Query } from './kysely-types.js';

/** A statement of ours, as Kysely's connections take it. */
export function queryOf(sql: string, parameters: readonly string[]): Query {
  return { sql, parameters, query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] }, queryId: OWN_QUERY };
}

/** Whether `queryOf` has made the statement. */
export function isOwnQuery({ queryId }: Pick<Query, 'queryId'>): boolean {
  return queryId === OWN_QUERY;
}

const OWN_QUERY = { queryId: 'tenants' };

/** The setting that keeps the path of a transaction, where the library sets its own there. */
export const KEPT_PATH = 'landlord.search_path';

/** What may set path or role, by a statement or by `set_config`. Told too often rather than too seldom. */
export const SETS = /search_path|role|authorization/i;

/** What may set them for a session by its own words. */
export const SETS_SESSION = /\bset_config\b|\bset\s+(?:session\s+)?(?:search_path|schema|role|session\s+authorization)\b/i;

/** What decides which tables a connection finds, and what it may do with them. */
export interface Settings {
  readonly path: string;
  readonly role: string;
  readonly authorization: string;
}

/** A statement, and the values of its parameters. */
export type Statement = readonly [sql: string, values: readonly string[]];

/** What there is, as `swapSql` has read it. */
export interface SettingsFound extends Settings {
  /** The path that was kept, where one was. */
  readonly kept: string;
  /** What the session has begun with, where the path is another one, which was doubted. */
  readonly resetPath: string | undefined;
}

/**
 * Reads what there is, then sets for the transaction what is given. The rows are for `settingsIn`. A path that is doubted is believed if it is the one
 * that is known, as it takes PostgreSQL long to tell.
 */
export function swapSql(path: string | undefined, role: string | undefined, doubted?: { readonly known: string | undefined }): Statement {
  const values: string[] = [];
  const sets = [setting(values, 'search_path', path, true), setting(values, 'role', role, true)].filter(set => set !== undefined);

  const read = doubted === undefined ? READ : `${READ}, ${resetPath(values, doubted.known)} as reset`;

  // materialized, so that what was set before is read before it is set anew
  return [sets.length === 0 ? read : `with before as materialized (${read}) select before.*, ${sets.join(', ')} from before`, values];
}

export function settingsIn(rows: readonly Readonly<Record<string, unknown>>[]): SettingsFound {
  const { path, role, session, kept, reset } = rows[0] ?? {};

  return {
    path: String(path),
    role: String(role),
    authorization: String(session),
    kept: String(kept),
    resetPath: typeof reset === 'string' ? reset : undefined,
  };
}

/**
 * Sets for the session what it had, whatever has been set since. What a transaction goes on with is set for that alone: the path it is given,
 * and the role it is given or else has. In this order, as what is set for the session is the transaction's too.
 */
export function putBackSql(session: Settings, goesOn: { readonly path: string; readonly role: string | undefined } | undefined): Statement {
  const values: string[] = [session.authorization, session.role];
  const ofTransaction =
    goesOn === undefined
      ? []
      : [
          setting(values, 'search_path', goesOn.path === session.path ? undefined : goesOn.path, true),
          `case when now.session ${DIFFERS} $1 then ${setConfig('session_authorization', 'now.session', true)} end`,
          goesOn.role === undefined
            ? `case when now.role ${DIFFERS} $2 then ${setConfig('role', 'now.role', true)} end`
            : setting(values, 'role', goesOn.role, true),
        ];
  const sets = [
    // a role is one of the session's user. Some may not even set the one they are
    `case when now.session ${DIFFERS} $1 then ${setConfig('session_authorization', '$1', false)} end`,
    setting(values, 'search_path', session.path, false),
    setConfig('role', '$2', false),
    ...ofTransaction,
  ];

  return [`${NOW} select ${sets.filter(set => set !== undefined).join(', ')} from now`, values];
}

/** A path as PostgreSQL tells it, as it can be written into a statement: each name quoted anew. */
export function pathFrom(told: string): string {
  const names = namesOfPath(told);

  return names.length === 0 ? "''" : searchPathOf(...names);
}

/** Sets for the transaction the role that it has had. */
export function putBackRoleSql(role: string): Statement {
  return [`select ${setConfig('role', '$1', true)}`, [role]];
}

/**
 * What is sent in one message around raw SQL outside of a transaction: what the session had is kept for the message, and put back after it. What
 * is set for the transaction ends with the message. What the session had can be told with the answer.
 */
export function aroundRaw(path: string, role: string | undefined, { tells }: { readonly tells: boolean }): Around {
  const sets = [
    setConfig('search_path', quoteLiteral(path), true),
    role === undefined ? undefined : setConfig('role', quoteLiteral(role), true),
  ];
  const set = withoutRows([...KEEP_ALL, ...sets.filter(each => each !== undefined)]);

  return { before: tells ? `${READ}; ${set}` : set, after: PUT_BACK_ALL, place: tells ? 2 : 1 };
}

/**
 * The same in a transaction of the caller's, which goes on with its own path, and with a role that raw SQL has taken. `session` is what the session
 * had before anything was set in the transaction; where that is not known, it is told with the answer. `ownRole` is its role, where the transaction
 * has taken another one.
 */
export function aroundRawIn(path: string, session: Settings | undefined, ownRole: string | undefined): Around {
  const orKept = (known: string | undefined, name: string): string => (known === undefined ? kept(name) : quoteLiteral(known));
  const set = withoutRows([...KEEP_ALL, setConfig('search_path', quoteLiteral(path), true)]);
  const role = orKept(session?.role ?? ownRole, BEFORE.role);
  const user = orKept(session?.authorization, BEFORE.user);
  const after = withoutRows(
    [
      `case when now.session ${DIFFERS} ${user} then ${setConfig('session_authorization', user, false)} end`,
      setConfig('search_path', orKept(session?.path, BEFORE.path), false),
      setConfig('role', role, false),
      setConfig('search_path', kept(BEFORE.path), true),
      `case when now.session ${DIFFERS} ${user} then ${setConfig('session_authorization', 'now.session', true)} end`,
      `case when now.role ${DIFFERS} ${role} then ${setConfig('role', 'now.role', true)} end`,
    ],
    'from now ',
  );

  return { before: session === undefined ? `${READ}; ${set}` : set, after: `${NOW} ${after}`, place: session === undefined ? 2 : 1 };
}

/** The same around what sets nothing itself. */
export function aroundQuiet(role: string): Around {
  return { before: `set local role ${quoteIdentifier(role)}`, after: undefined, place: 0 };
}

/** Does it all in this order, as PostgreSQL computes the arguments of a function in their order, and answers with no rows and no columns. */
function withoutRows(calls: readonly string[], from = ''): string {
  return `select ${from}where pg_catalog.concat(${calls.join(', ')}) is null`;
}

function setting(values: string[], name: string, value: string | undefined, isLocal: boolean): string | undefined {
  return value === undefined ? undefined : setConfig(name, `$${values.push(value)}`, isLocal);
}

// with its schema, as whoever sets the path chooses what `set_config` alone would be
function setConfig(name: string, value: string, isLocal: boolean): string {
  return `pg_catalog.set_config('${name}', ${value}, ${isLocal})`;
}

const ROLE = `pg_catalog.current_setting('role')`;

// the setting of that name is empty on PGlite
const SESSION_USER = 'session_user::pg_catalog.text';

const DIFFERS = 'operator(pg_catalog.<>)';

const READ = `select ${[
  `pg_catalog.current_setting('search_path') as path`,
  `${ROLE} as role`,
  `${SESSION_USER} as session`,
  `pg_catalog.current_setting('${KEPT_PATH}', true) as kept`,
].join(', ')}`;

// materialized, so that what there was is read before it is set anew
const NOW = `with now as materialized (select ${ROLE} as role, ${SESSION_USER} as session)`;

const BEFORE = { path: 'landlord.path_before', role: 'landlord.role_before', user: 'landlord.user_before' };

const KEEP_ALL = [
  setConfig(BEFORE.path, `pg_catalog.current_setting('search_path')`, true),
  setConfig(BEFORE.role, ROLE, true),
  setConfig(BEFORE.user, SESSION_USER, true),
];

const kept = (name: string): string => `pg_catalog.current_setting('${name}')`;

// a role is one of the session's user. Some may not even set the one they are
const PUT_BACK_ALL = withoutRows([
  `case when ${SESSION_USER} ${DIFFERS} ${kept(BEFORE.user)} then ${setConfig('session_authorization', kept(BEFORE.user), false)} end`,
  setConfig('search_path', kept(BEFORE.path), false),
  setConfig('role', kept(BEFORE.role), false),
]);

// a setting does not say whether it is the session's or the transaction's. Where it is neither, it is as the session has begun
function resetPath(values: string[], known: string | undefined): string {
  return known === undefined
    ? `(${RESET_PATH})`
    : `case when pg_catalog.current_setting('search_path') ${DIFFERS} $${values.push(known)} then (${RESET_PATH}) end`;
}

const RESET_PATH =
  `select s.reset_val from pg_catalog.pg_settings s ` +
  `where s.name operator(pg_catalog.=) 'search_path' and s.source operator(pg_catalog.=) 'session' and s.setting ${DIFFERS} s.reset_val`;
