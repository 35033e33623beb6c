/**
 * The objects of schemas, as PostgreSQL describes them: one row each with `schema_name`, `object` (its kind and name) and `definition`. The schemas are
 * the parameter, several in a list. What belongs to an extension is left out, and so are owners, privileges, comments and the order of columns.
 *
 * https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CATALOG
 */
export const OBJECTS_OF_SCHEMAS = `
with wanted as (select oid, nspname from pg_namespace where nspname in (?)),
relations as (
  select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relpersistence, w.nspname from pg_class c
  join wanted w on w.oid = c.relnamespace
  where not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
)
select nspname as schema_name,
  case relkind when 'v' then 'view ' when 'm' then 'materialized view ' when 'S' then 'sequence ' else 'table ' end || relname as object,
  concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, case when relkind in ('v', 'm') then pg_get_viewdef(oid) end) as definition
from relations where relkind in ('r', 'p', 'v', 'm', 'S', 'f')
union all
select r.nspname, 'column ' || r.relname || '.' || a.attname,
  concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), l.collname)
from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum left join pg_collation l on l.oid = a.attcollation
where r.relkind in ('r', 'p', 'f', 'm')
union all
select r.nspname, 'index ' || r.relname, concat_ws(' ', pg_get_indexdef(i.indexrelid, 0, true), i.indisvalid, i.indisclustered)
from relations r join pg_index i on i.indexrelid = r.oid
union all
select r.nspname, 'constraint ' || r.relname || '.' || c.conname, concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated)
from relations r join pg_constraint c on c.conrelid = r.oid where c.contype <> 'n'
union all
select r.nspname, 'trigger ' || r.relname || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid, true), t.tgenabled)
from relations r join pg_trigger t on t.tgrelid = r.oid where not t.tgisinternal
union all
select r.nspname, 'policy ' || r.relname || '.' || p.polname,
  concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
from relations r join pg_policy p on p.polrelid = r.oid
union all
select w.nspname, 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', pg_get_functiondef(p.oid)
from pg_proc p join wanted w on w.oid = p.pronamespace where p.prokind in ('f', 'p')
and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
union all
select w.nspname, 'enum ' || t.typname, (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
from pg_type t join wanted w on w.oid = t.typnamespace where t.typtype = 'e'
union all
select w.nspname, 'domain ' || t.typname, concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
  (select string_agg(pg_get_constraintdef(c.oid), ' ' order by c.conname) from pg_constraint c where c.contypid = t.oid))
from pg_type t join wanted w on w.oid = t.typnamespace where t.typtype = 'd'`;

/**
 * One text for each schema, which is equal if all its objects are. The name of the schema is taken out of the definitions. Something else that has the
 * name of the schema, such as a table, is taken out with it, so texts can differ although the objects do not.
 */
export const FINGERPRINTS = String.raw`
select schema_name, md5(string_agg(object || ' ' || definition, chr(10) order by object collate "C")) as fingerprint from (
  select schema_name, object, regexp_replace(definition, '"\?\m' || schema_name || '\M"\?\.', '*.', 'g') as definition from (${OBJECTS_OF_SCHEMAS}) objects
) plain group by schema_name`;
