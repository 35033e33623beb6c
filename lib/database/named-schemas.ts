import type { Transaction } from '@mikro-orm/core';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import { quoteIdentifier, searchPathOf } from '../postgres/schema-name.js';
import { textsOf, type Statements, type Text } from './dependents.js';

/**
 * What has the name of the schema in its text, and would look for that name after a rename: functions, also those in the schema, arguments
 * of triggers, and settings of roles and of the database. What PostgreSQL refers to by number, such as a view, follows a rename, and so does
 * the path of a function in the schema, by `moveFunctionPaths`.
 */
export async function namedIn(database: Statements, schemaName: string, ctx: Transaction): Promise<string[]> {
  return textsOf(await database.execute<Text>(NAMED, [schemaName], ctx));
}

/**
 * The functions and settings that look for a schema of this name, which is not there yet: another schema may have had the name. Told of paths,
 * wherever they are set.
 */
export async function waitingFor(database: Statements, schemaName: string, ctx: Transaction): Promise<string[]> {
  return textsOf(await database.execute<Text>(WAITING, [schemaName], ctx));
}

/** A condition without parameters that is cheap, and holds wherever `waitingFor` finds something. */
export function mayBeWaitedForText({ orm }: { readonly orm: WrappedOrm }, schemaName: string): string {
  return orm.em.getPlatform().formatQuery(MAY_BE_WAITED_FOR, [schemaName, schemaName, schemaName]);
}

/** The functions in a schema that have another name in their text, as that of a schema: for example the name that their own schema had before. */
export async function naming(
  database: Statements,
  { name, schemaName, ctx }: { readonly name: string; readonly schemaName: string; readonly ctx: Transaction },
): Promise<string[]> {
  return textsOf(await database.execute<Text>(NAMING, [schemaName, name], ctx));
}

/** Has the functions of a schema that was renamed look for their tables in it under its new name. PostgreSQL keeps the name in their paths. */
export async function moveFunctionPaths(
  database: Statements,
  { from, to, ctx }: { readonly from: string; readonly to: string; readonly ctx: Transaction },
): Promise<void> {
  const functions = await database.execute<{ readonly name: string; readonly args: string; readonly path: string }>(PATHS, [from, to], ctx);

  for (const { name, args, path } of functions) {
    const names = (JSON.parse(path) as string[]).map(each => (each === from ? to : each));
    await database.execute(
      `alter routine ${quoteIdentifier(to)}.${quoteIdentifier(name)}(${args}) set search_path to ${searchPathOf(...names)}`,
      [],
      ctx,
    );
  }
}

const PATHS = `select p.proname as name, pg_get_function_identity_arguments(p.oid) as args,
    (select json_agg(e.name)::text from (select btrim(e, ' "') as name from regexp_split_to_table(substr(s, 13), ',') e where s like 'search_path=%') e) as path
  from pg_proc p cross join unnest(p.proconfig) s, (select ?::text as name) former
  where p.pronamespace = (select oid from pg_namespace where nspname = ?)
    and exists (select from (select btrim(e, ' "') as name from regexp_split_to_table(substr(s, 13), ',') e where s like 'search_path=%') e where e.name = former.name)`;

// a word before a dot may be the alias of a table, so what follows the dot has to be something in the schema. The path of a function in the
// schema follows it
const NAMED = `with tenant as (select oid, nspname::text as name from pg_namespace where nspname = ?)
select o.type || ' ' || o.identity as text from tenant t
join pg_proc p on (
  exists (
    select from unnest(p.proconfig) s
    where (p.pronamespace <> t.oid and exists (select from (select btrim(e, ' "') as name from regexp_split_to_table(substr(s, 13), ',') e where s like 'search_path=%') e where e.name = t.name))
      or (s not like 'search_path=%' and s ~* ('=([^.]*[^a-z0-9_$.]){0,1}"{0,1}' || t.name || '"{0,1}[.]'))
  )
  or (strpos(lower(p.prosrc), t.name) > 0 and exists (
    select from regexp_matches(p.prosrc, '[[:<:]]' || t.name || '[[:>:]]"{0,1}[[:space:]]*[.][[:space:]]*"{0,1}([a-z_0-9$]+)', 'gi') m
    where exists (select from pg_class where relnamespace = t.oid and relname = lower(m[1]))
      or exists (select from pg_proc where pronamespace = t.oid and proname = lower(m[1]))
      or exists (select from pg_type where typnamespace = t.oid and typname = lower(m[1]))
  ))
)
cross join lateral pg_identify_object('pg_proc'::regclass, p.oid, 0) o
union all
select o.type || ' ' || o.identity from tenant t
join pg_trigger g on g.tgnargs > 0 and not g.tgisinternal
  and encode(g.tgargs, 'escape') ~* ('(^|000|[^a-z0-9_$])"{0,1}' || t.name || '"{0,1}[.]')
cross join lateral pg_identify_object('pg_trigger'::regclass, g.oid, 0) o
union all
select 'setting ' || split_part(c, '=', 1) || ' of ' || case when s.setrole = 0 then 'the database' else 'role ' || s.setrole::regrole end from tenant t
join pg_db_role_setting s on s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
join unnest(s.setconfig) c on exists (select from (select btrim(e, ' "') as name from regexp_split_to_table(substr(c, 13), ',') e where c like 'search_path=%') e where e.name = t.name)
order by 1`;

const NAMING = `select o.type || ' ' || o.identity as text from pg_proc p cross join lateral pg_identify_object('pg_proc'::regclass, p.oid, 0) o
  where p.pronamespace = (select oid from pg_namespace where nspname = ?)
    and p.prosrc ~* ('[[:<:]]' || ?::text || '[[:>:]]"{0,1}[[:space:]]*[.]') order by 1`;

// functions of PostgreSQL's own come before that number, and are most of all: what they look up is not on the path. Where tenants' functions have
// paths, there are names that begin like this one
const MAY_BE_WAITED_FOR =
  `exists (select from pg_proc where oid >= 16384 and proconfig is not null and strpos(array_to_string(proconfig, ','), ?) > 0 ` +
  `and array_to_string(proconfig, ',') ~ ('(^|[^a-z0-9_$])' || ? || '($|[^a-z0-9_$])')) ` +
  `or exists (select from pg_db_role_setting where strpos(array_to_string(setconfig, ','), ?) > 0)`;

// each tenant may have functions with a path of their own, and this is asked at each creation: what has not the name in it is left out first
const WAITING = `with wanted as (select ?::text as name)
select o.type || ' ' || o.identity as text from wanted t
join pg_proc p on p.proconfig is not null and strpos(array_to_string(p.proconfig, ','), t.name) > 0 and exists (select from unnest(p.proconfig) s, lateral (select btrim(e, ' "') as name from regexp_split_to_table(substr(s, 13), ',') e where s like 'search_path=%') e where e.name = t.name)
cross join lateral pg_identify_object('pg_proc'::regclass, p.oid, 0) o
union all
select 'setting ' || split_part(c, '=', 1) || ' of ' || case when s.setrole = 0 then 'the database' else 'role ' || s.setrole::regrole end from wanted t
join pg_db_role_setting s on s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
join unnest(s.setconfig) c on exists (select from (select btrim(e, ' "') as name from regexp_split_to_table(substr(c, 13), ',') e where c like 'search_path=%') e where e.name = t.name)
order by 1`;
