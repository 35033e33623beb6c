import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { jsonRows, objectsOf } from './rows.js';

/** What is in a schema, or is said of it, and cannot be made in another schema by statements of its own. Each as PostgreSQL names it, and why. */
export async function readRefused(database: TenantDatabase, oid: string, ctx: Transaction): Promise<string[]> {
  const rows = await jsonRows<{ object: string }>(database, REFUSED(oid), ctx);

  return rows.map(({ object }) => object);
}

const identity = (classid: string, objid: string): string =>
  `(select i.type || ' ' || i.identity from pg_identify_object(${classid}, ${objid}, 0) i)`;

const REFUSED = (oid: string): string => `with ${objectsOf(oid)}
  select distinct object from (
    select ${identity('o.classid', 'o.objid')} as object from objects o
    where o.classid not in ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass, 'pg_statistic_ext'::regclass,
      'pg_default_acl'::regclass, coalesce(to_regclass('pg_catalog.pg_publication_namespace')::oid, 0))
    union all
    select ${identity(`'pg_type'::regclass`, 't.oid')} || ' (a base type)' from objects o join pg_type t on t.oid = o.objid
    where o.classid = 'pg_type'::regclass and t.typtype in ('b', 'p') and t.typelem = 0
    union all
    select ${identity(`'pg_type'::regclass`, 't.oid')} || ' (a range with a function that makes its values canonical)'
    from objects o join pg_type t on t.oid = o.objid join pg_range r on r.rngtypid = t.oid where o.classid = 'pg_type'::regclass and r.rngcanonical <> 0
    union all
    select ${identity(`'pg_class'::regclass`, 'r.oid')} || case when r.relkind = 'f' then '' else ' (a table of a type)' end
    from relations r where r.relkind = 'f' or r.reloftype <> 0
    union all
    select ${identity(`'pg_class'::regclass`, 'r.oid')} || ' (of an extension)' from relations r
    where exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype = 'e')
    union all
    select ${identity('d.classid', 'd.objid')} || ' (of a type of the tenant)'
    from objects o join pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid and d.classid in ('pg_cast'::regclass, 'pg_transform'::regclass)
    where o.classid in ('pg_type'::regclass, 'pg_proc'::regclass)
      -- that of a range to its multirange comes with both
      and not exists (select from pg_cast k join pg_range g on g.rngtypid = k.castsource and (to_jsonb(g) ->> 'rngmultitypid')::oid = k.casttarget
        where d.classid = 'pg_cast'::regclass and k.oid = d.objid)
    union all
    select 'trigger ' || t.tgname || ' on ' || r.relname || ' (of a constraint, in another state than it is made in)'
    from relations r join pg_trigger t on t.tgrelid = r.oid where t.tgisinternal and t.tgenabled <> 'O' and t.tgparentid = 0
    union all
    select 'table ' || c.relname || ' (a partition of ' || r.relname || ' in another schema)'
    from relations r join pg_inherits i on i.inhparent = r.oid join pg_class c on c.oid = i.inhrelid
    where r.relkind in ('r', 'p') and c.relnamespace <> ${oid}
    union all
    select 'index ' || c.relname || ' (not valid)' from relations r join pg_index i on i.indrelid = r.oid join pg_class c on c.oid = i.indexrelid
    where not i.indisvalid
    union all
    select 'security label on ' || r.relname from relations r join pg_seclabel l on l.classoid = 'pg_class'::regclass and l.objoid = r.oid
    union all
    -- hidden by an object of PostgreSQL's own: no statement without a schema would reach it
    select ${identity('o.classid', 'o.objid')} || ' (PostgreSQL has one of that name)' from objects o where case
      when o.classid = 'pg_class'::regclass then not pg_table_is_visible(o.objid)
      when o.classid = 'pg_type'::regclass then not pg_type_is_visible(o.objid)
      when o.classid = 'pg_proc'::regclass then not pg_function_is_visible(o.objid)
      when o.classid = 'pg_operator'::regclass then not pg_operator_is_visible(o.objid)
      else false end
  ) refused where object is not null order by 1`;
