const OF_SCHEMAS = `
with wanted as (select oid, nspname from pg_namespace where nspname in (?)),
relations as (
  select c.*, w.nspname from (select oid, relname, relkind, relrowsecurity, relforcerowsecurity, relpersistence, relpartbound, reloptions,
    relnamespace, relowner, relacl from pg_class) c
  join wanted w on w.oid = c.relnamespace
  where not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
),
routines as (
  select p.*, w.nspname from pg_proc p join wanted w on w.oid = p.pronamespace
  where not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
),
types as (select t.*, w.nspname from pg_type t join wanted w on w.oid = t.typnamespace),
statistics as (select s.*, w.nspname from pg_statistic_ext s join wanted w on w.oid = s.stxnamespace)`;

// what PostgreSQL does not note as in the schema is an index of a table, or the columns of a composite type
const OF_ONE_SCHEMA = `
with wanted as (select oid, nspname from pg_namespace where nspname in (?)),
noted as materialized (
  select d.classid, d.objid, w.nspname from wanted w join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = w.oid
  where not exists (select from pg_depend e where e.classid = d.classid and e.objid = d.objid and e.deptype = 'e')
),
types as materialized (select t.*, n.nspname from noted n join pg_type t on t.oid = n.objid where n.classid = 'pg_type'::regclass),
listed as materialized (
  select objid as oid, nspname from noted where classid = 'pg_class'::regclass
  union all select i.indexrelid, n.nspname from noted n join pg_index i on i.indrelid = n.objid where n.classid = 'pg_class'::regclass
  union all select t.typrelid, t.nspname from types t where t.typtype = 'c'
),
relations as materialized (select c.*, l.nspname from listed l join pg_class c on c.oid = l.oid),
routines as materialized (select p.*, n.nspname from noted n join pg_proc p on p.oid = n.objid where n.classid = 'pg_proc'::regclass),
statistics as materialized (
  select s.*, n.nspname from noted n join pg_statistic_ext s on s.oid = n.objid where n.classid = 'pg_statistic_ext'::regclass
)`;

const OBJECTS = `
select nspname as schema_name,
  case relkind when 'v' then 'view ' when 'm' then 'materialized view ' when 'S' then 'sequence ' else 'table ' end || relname as object,
  concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, case when relkind in ('v', 'm') then pg_get_viewdef(oid) end,
    case when relkind = 'v' then reloptions::text end, case when relkind = 'p' then pg_get_partkeydef(oid) end, pg_get_expr(relpartbound, oid),
    (select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno) from pg_inherits i where i.inhrelid = relations.oid),
    (select concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle) from pg_sequence s
      where s.seqrelid = relations.oid)) as definition
from relations where relkind in ('r', 'p', 'v', 'm', 'S', 'f')
union all
select nspname, 'type ' || relname, (select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
  from pg_attribute a where a.attrelid = relations.oid and a.attnum > 0 and not a.attisdropped)
from relations where relkind = 'c'
union all
select r.nspname, 'rule ' || r.relname || '.' || w.rulename, concat_ws(' ', pg_get_ruledef(w.oid, true), w.ev_enabled)
from relations r join pg_rewrite w on w.ev_class = r.oid where w.rulename <> '_RETURN'
union all
select s.nspname, 'statistics ' || s.stxname, pg_get_statisticsobjdef(s.oid) from statistics s
union all
select r.nspname, 'column ' || r.relname || '.' || a.attname,
  concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), l.collname)
from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and (r.relname <> ? or a.attname <> 'id')
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum left join pg_collation l on l.oid = a.attcollation
where r.relkind in ('r', 'p', 'f', 'm')
union all
select r.nspname, 'index ' || r.relname, concat_ws(' ', pg_get_indexdef(i.indexrelid, 0, true), i.indisvalid, i.indisclustered)
from relations r join pg_index i on i.indexrelid = r.oid
union all
select r.nspname, 'constraint ' || r.relname || '.' || c.conname, concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated)
from relations r cross join lateral (select * from pg_constraint c where c.conrelid = r.oid and c.contype <> 'n' offset 0) c where r.relkind in ('r', 'p', 'f')
union all
select r.nspname, 'trigger ' || r.relname || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid, true), t.tgenabled)
from relations r cross join lateral (select * from pg_trigger t where t.tgrelid = r.oid and not t.tgisinternal offset 0) t where r.relkind in ('r', 'p', 'v', 'f')
union all
select r.nspname, 'policy ' || r.relname || '.' || p.polname,
  concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
from relations r join pg_policy p on p.polrelid = r.oid
union all
select p.nspname, 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
  replace(pg_get_functiondef(p.oid), ' SET search_path TO ''' || p.nspname || '''', ' SET search_path TO *')
from routines p where p.prokind in ('f', 'p', 'w')
union all
select p.nspname, 'aggregate ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
  concat_ws(' ', a.aggkind, a.aggtransfn, a.aggfinalfn, a.aggcombinefn, format_type(a.aggtranstype, null), a.agginitval, a.aggsortop::regoper)
from routines p join pg_aggregate a on a.aggfnoid = p.oid
union all
select t.nspname, 'enum ' || t.typname, (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
from types t where t.typtype = 'e'
union all
select t.nspname, 'domain ' || t.typname, concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
  (select string_agg(pg_get_constraintdef(c.oid), ' ' order by c.conname) from pg_constraint c where c.contypid = t.oid))
from types t where t.typtype = 'd'`;

/**
 * The objects of schemas, as PostgreSQL describes them: one row each with `schema_name`, `object` (its kind and name) and `definition`. The schemas are
 * the parameter, several in a list. What belongs to an extension is left out, and so are owners, privileges, comments, the order of columns, and what
 * is tuned for a single tenant: storage parameters and statistics targets. A function's own path is told without the name of its schema. The key of
 * the history, whose table is the second parameter, is left out: it was a `serial` in former versions.
 *
 * What belongs to a relation is looked up for each, by `offset 0`: else PostgreSQL reads all entries of the catalog for some schemas of many.
 *
 * https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CATALOG
 */
export const OBJECTS_OF_SCHEMAS = `${OF_SCHEMAS}${OBJECTS}`;

/** The same of one schema. It reads no rows of the catalogs that are of other schemas, however many there are. */
export const OBJECTS_OF_ONE_SCHEMA = `${OF_ONE_SCHEMA}${OBJECTS}`;

/**
 * The privileges in these schemas, in the same form, to be read in one statement with their objects: those of everybody, and of roles other than the owner
 * and the tenants' own. The parameter is what the names of tenants' roles begin with, or null. What everybody may do by default has a row too, so that its
 * revocation is seen.
 */
const GRANTS_OF_SCHEMAS = `
select schema_name, 'grant ' || lower(a.privilege_type) || ' on ' || place || ' to ' || coalesce(quote_ident(r.rolname), 'public'),
  case when a.is_grantable then 'with grant option' end
from (
  select w.nspname as schema_name, 'schema' as place, n.nspowner as owner, n.nspacl as acl from wanted w join pg_namespace n on n.oid = w.oid
  union all
  select nspname, case relkind when 'S' then 'sequence ' else 'table ' end || relname, relowner, relacl from relations
  where relacl is not null and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select c.nspname, 'column ' || c.relname || '.' || t.attname, c.relowner, t.attacl from relations c
  cross join lateral (select attname, attacl from pg_attribute where attrelid = c.oid and attacl is not null and not attisdropped offset 0) t
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
  union all
  select w.nspname, 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.proowner,
    coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p join wanted w on w.oid = p.pronamespace
  where not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  union all
  select w.nspname, 'type ' || t.typname, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)) from pg_type t join wanted w on w.oid = t.typnamespace
  where (t.typtype in ('e', 'd', 'r') or exists (select from relations c where c.oid = t.typrelid and c.relkind = 'c'))
  and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
  union all
  select w.nspname, 'new ' || case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else 'types' end,
    d.defaclrole, d.defaclacl
  from pg_default_acl d join wanted w on w.oid = d.defaclnamespace
) held cross join lateral aclexplode(acl) a left join pg_roles r on r.oid = a.grantee
where a.grantee <> owner and (a.grantee = 0 or r.rolname is not null) and not coalesce(starts_with(r.rolname::text, ?), false)`;

/** Objects and privileges. The parameters are those of both. */
export const OBJECTS_AND_GRANTS = `${OBJECTS_OF_SCHEMAS}
union all ${GRANTS_OF_SCHEMAS}`;

/**
 * One text for each schema, which is equal if all its objects are. The name of the schema is taken out of the definitions. Something else that has the
 * name of the schema, such as a table, is taken out with it, so texts can differ although the objects do not.
 */
export const FINGERPRINTS = String.raw`
select schema_name, md5(string_agg(line, chr(10) order by line collate "C")) as fingerprint from (
  select schema_name, regexp_replace(concat(object, ' ', definition), '"\?\m' || schema_name || '\M"\?\.', '*.', 'g') as line
  from (${OBJECTS_AND_GRANTS}) objects
) plain group by schema_name`;
