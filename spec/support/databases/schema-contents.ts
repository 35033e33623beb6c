import type { SpecDatabase } from './database.ts';

type Database = Pick<SpecDatabase, 'query'>;

/**
 * What lies in a schema, as PostgreSQL's catalog tells: a line for each table, column, constraint, index, view, type, trigger,
 * function, sequence and comment. Names of the schema itself are left out, so that two schemas can be compared.
 */
export async function readCatalog(
  database: Database,
  schemaName: string,
  { without = [] }: { without?: readonly string[] } = {},
): Promise<string[]> {
  const rows = await database.query<{ line: string }>(CATALOG, [schemaName]);
  const own = new RegExp(`"?\\b${schemaName}\\b"?\\.`, 'g');
  const lines = rows.map(({ line }) => line.replaceAll(own, ''));

  return lines
    .filter(line => !['mikro_orm_migrations', ...without].some(name => line.split(' ')[1]?.split('.')[0]?.startsWith(name)))
    .sort();
}

/** What in a schema depends on something in another schema: `dependent -> referenced`, system schemas left out. */
export async function readReferencesOut(database: Database, schemaName: string): Promise<string[]> {
  const rows = await database.query<{ line: string }>(REFERENCES_OUT, [schemaName]);

  return rows.map(({ line }) => line);
}

const CATALOG = `
  with objects as (
    select c.*, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1
  )
  select concat_ws(' ', 'relation', relname, relkind::text, 'partition ' || pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid),
    'comment ' || obj_description(oid, 'pg_class'), 'rls ' || relrowsecurity) as line
    from objects where relkind in ('r', 'p', 'v', 'm', 'S')
  union all
  select concat_ws(' ', 'column', c.relname || '.' || a.attname, tn.nspname || '.' || t.typname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
    'default ' || pg_get_expr(d.adbin, d.adrelid), 'generated ' || nullif(a.attgenerated::text, ''), 'identity ' || nullif(a.attidentity::text, ''),
    'comment ' || col_description(c.oid, a.attnum))
    from objects c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid join pg_namespace tn on tn.oid = t.typnamespace
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relkind in ('r', 'p', 'v', 'm')
  union all
  select concat_ws(' ', 'constraint', c.relname || '.' || k.conname, pg_get_constraintdef(k.oid))
    from objects c join pg_constraint k on k.conrelid = c.oid
  union all
  select concat_ws(' ', 'index', c.relname || '.' || i.relname, pg_get_indexdef(x.indexrelid))
    from objects c join pg_index x on x.indrelid = c.oid join pg_class i on i.oid = x.indexrelid where c.relkind <> 't'
  union all
  select concat_ws(' ', 'view', relname, pg_get_viewdef(oid)) from objects where relkind in ('v', 'm')
  union all
  select concat_ws(' ', 'enum', t.typname, (select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
    from pg_type t join pg_namespace n on n.oid = t.typnamespace where n.nspname = $1 and t.typtype = 'e'
  union all
  select concat_ws(' ', 'trigger', c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid))
    from objects c join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
  union all
  select concat_ws(' ', 'function', p.proname, pg_get_functiondef(p.oid))
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1
  union all
  select concat_ws(' ', 'policy', c.relname || '.' || p.polname, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from objects c join pg_policy p on p.polrelid = c.oid`;

const REFERENCES_OUT = `
  select distinct dependent.identity || ' -> ' || referenced.identity as line
    from pg_depend d,
    lateral pg_identify_object(d.classid, d.objid, d.objsubid) dependent,
    lateral pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) referenced
    where d.classid <> 0 and dependent.identity ~ ('\\m' || $1 || '\\.') and referenced.identity !~ ('\\m' || $1 || '(\\.|$)')
    and dependent.type <> 'trigger' and coalesce(referenced.schema, '') not in ('pg_catalog', 'information_schema') and referenced.type not in ('language', 'access method', 'schema')
    order by 1`;
