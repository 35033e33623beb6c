import type { SpecDatabase } from './database.ts';

type Database = Pick<SpecDatabase, 'query'>;

/**
 * All that PostgreSQL's catalogs say of the objects in a schema, a line each, with the name of the schema replaced. It reads columns of the catalogs where it
 * can, and not the definitions that the library's own reader uses. Columns of indexes keep the names that columns of tables had.
 */
export async function describeSchema(database: Database, schemaName: string): Promise<string[]> {
  const rows = await database.query<{ line: string }>(DESCRIPTION, [schemaName]);
  const own = new RegExp(`(?<![a-z0-9_$])"?${schemaName}"?(?![a-z0-9_$"])`, 'g');

  return rows.map(({ line }) => line.replaceAll(own, '*')).toSorted();
}

/** The rows of every table, in any order, and the position of every sequence. */
export async function rowsOfSchema(database: Database, schemaName: string): Promise<Record<string, unknown>> {
  const tables = await database.query<{ name: string; kind: string }>(
    `select relname::text as name, relkind::text as kind from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'S', 'm') and relispopulated order by 1`,
    [schemaName],
  );
  const found: Record<string, unknown> = {};

  for (const { name, kind } of tables) {
    found[name] =
      kind === 'S'
        ? await database.query(`select last_value::text, is_called from "${schemaName}".${quoted(name)}`)
        : await database.query(
            `select count(*)::int, md5(string_agg(md5(t::text), '' order by md5(t::text))) from only "${schemaName}".${quoted(name)} t`,
          );
  }

  return found;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const line = (...parts: readonly string[]): string =>
  `concat_ws(' | ', ${parts.map(part => `coalesce((${part})::text, '-')`).join(', ')}) as line`;

const acl = (column: string): string =>
  `(select string_agg(entry, ', ' order by entry) from (select concat_ws(' ', coalesce(nullif(e.grantee, 0)::regrole::text, 'public'), e.privilege_type,
    e.is_grantable) as entry from aclexplode(${column}) e) entries)`;

// that of a key of a partition says only whether PostgreSQL made it with the whole's key or it was attached to that later, as `pg_dump` does too
const NO_INHERIT = `case when k.contype not in ('p', 'u', 'x') or k.conparentid = 0 then k.connoinherit end`;

const DESCRIPTION = `
with ns as (select oid from pg_namespace where nspname = $1),
r as (select c.* from pg_class c, ns where c.relnamespace = ns.oid and c.relkind <> 't')
select ${line(`'relation'`, 'relname', 'relkind', 'relpersistence', 'reloptions', 'relrowsecurity', 'relforcerowsecurity', 'relreplident', 'relispopulated', 'relispartition', 'pg_get_expr(relpartbound, r.oid)', 'pg_get_partkeydef(r.oid)', 'relowner::regrole', '(select t.reloptions from pg_class t where t.oid = r.reltoastrelid)', `case when relkind in ('v', 'm') then pg_get_viewdef(r.oid) end`, '(select amname from pg_am where oid = relam)', "obj_description(r.oid, 'pg_class')", `case when relkind not in ('i', 'I') then ${acl(`coalesce(relacl, acldefault(case relkind when 'S' then 's'::"char" else 'r' end, relowner))`)} end`)} from r
union all
select ${line(`'column'`, 'relname', 'attname', `case when relkind in ('r','p') and relispartition then null else row_number() over (partition by attrelid order by attnum) end`, 'format_type(atttypid, atttypmod)', 'attnotnull', 'attidentity', 'attgenerated', 'attstorage', 'attcompression', 'attstattarget', `(select string_agg(o, ',') from unnest(attoptions) o where o ~ '^n_distinct')`, 'attislocal', 'attinhcount', 'attcollation::regcollation', 'pg_get_expr(d.adbin, d.adrelid)', 'col_description(r.oid, attnum)', acl('attacl'))}
  from r join pg_attribute a on attrelid = r.oid and relkind not in ('i', 'I') and attnum > 0 and not attisdropped left join pg_attrdef d on d.adrelid = r.oid and d.adnum = attnum
union all
select ${line(`'sequence'`, 's.seqrelid::regclass', 's.seqtypid::regtype', 'seqstart', 'seqincrement', 'seqmax', 'seqmin', 'seqcache', 'seqcycle', `(select concat_ws(' ', d.deptype, d.refobjid::regclass, (select attname from pg_attribute where attrelid = d.refobjid and attnum = d.refobjsubid)) from pg_depend d where d.objid = s.seqrelid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i'))`)}
  from r join pg_sequence s on s.seqrelid = r.oid
union all
select ${line(`'index'`, 'i.indrelid::regclass', 'i.indexrelid::regclass', 'pg_get_indexdef(i.indexrelid)', 'indisunique', 'indisprimary', 'indisvalid', 'indisready', 'indisclustered', 'indisreplident', 'indimmediate', '(select inhparent::regclass from pg_inherits where inhrelid = i.indexrelid)')}
  from r join pg_index i on i.indrelid = r.oid
union all
select ${line(`'constraint'`, 'k.conrelid::regclass', 'k.contypid::regtype', 'k.conname', 'contype', 'condeferrable', 'condeferred', 'convalidated', 'conislocal', 'coninhcount', NO_INHERIT, 'pg_get_constraintdef(k.oid)', 'conparentid <> 0', `obj_description(k.oid, 'pg_constraint')`)}
  from pg_constraint k, ns where k.connamespace = ns.oid
union all
select ${line(`'trigger'`, 't.tgrelid::regclass', 'tgname', 'tgenabled', 'tgdeferrable', 'tginitdeferred', 'tgparentid <> 0', 'pg_get_triggerdef(t.oid)', `obj_description(t.oid, 'pg_trigger')`)}
  from r join pg_trigger t on t.tgrelid = r.oid where not tgisinternal
union all
select ${line(`'rule'`, 'w.ev_class::regclass', 'rulename', 'ev_enabled', 'pg_get_ruledef(w.oid)')} from r join pg_rewrite w on w.ev_class = r.oid
union all
select ${line(`'policy'`, 'p.polrelid::regclass', 'polname', 'polcmd', 'polpermissive', 'polroles::regrole[]', 'pg_get_expr(polqual, polrelid)', 'pg_get_expr(polwithcheck, polrelid)', `obj_description(p.oid, 'pg_policy')`)}
  from r join pg_policy p on p.polrelid = r.oid
union all
select ${line(`'routine'`, 'p.oid::regprocedure', 'prokind', 'proowner::regrole', 'prosecdef', 'proleakproof', 'proisstrict', 'provolatile', 'proparallel', 'procost', 'prorows', 'proconfig', 'prosrc', `case when prokind <> 'a' then pg_get_functiondef(p.oid) end`, `(select to_jsonb(a) - 'aggfnoid' from pg_aggregate a where a.aggfnoid = p.oid)`, `obj_description(p.oid, 'pg_proc')`, acl(`coalesce(proacl, acldefault('f', proowner))`))}
  from pg_proc p, ns where p.pronamespace = ns.oid
union all
select ${line(`'operator'`, 'o.oid::regoperator', 'oprcode', 'oprcom::regoper', 'oprnegate::regoper', 'oprcanhash', 'oprcanmerge')} from pg_operator o, ns where o.oprnamespace = ns.oid
union all
select ${line(`'type'`, 't.oid::regtype', 'typtype', 'typcategory', 'typnotnull', 'typdefault', 'format_type(typbasetype, typtypmod)', 'typcollation::regcollation', `(select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid)`, `(select concat_ws(' ', rngsubtype::regtype, rngsubdiff, rngcollation, rngmultitypid::regtype) from pg_range where rngtypid = t.oid)`, `obj_description(t.oid, 'pg_type')`, acl(`coalesce(typacl, acldefault('T', typowner))`))}
  from pg_type t, ns where t.typnamespace = ns.oid
union all
select ${line(`'statistics'`, 's.stxname', 'stxkind', 'stxstattarget', 'pg_get_statisticsobjdef(s.oid)')} from pg_statistic_ext s, ns where s.stxnamespace = ns.oid
union all
select ${line(`'inherits'`, 'i.inhrelid::regclass', 'i.inhparent::regclass', 'inhseqno')} from r join pg_inherits i on i.inhrelid = r.oid
union all
select ${line(`'schema'`, `obj_description(n.oid, 'pg_namespace')`, acl(`coalesce(nspacl, acldefault('n', nspowner))`))} from pg_namespace n, ns where n.oid = ns.oid
union all
select ${line(`'default privileges'`, 'defaclrole::regrole', 'defaclobjtype', acl('defaclacl'))} from pg_default_acl d, ns where d.defaclnamespace = ns.oid`;
