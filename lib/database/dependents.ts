import type { Transaction } from '@mikro-orm/core';
import { quoteIdentifier } from '../postgres/schema-name.js';
import type { TenantDatabase } from './tenant-database.js';

/**
 * What would be lost with a schema, and is not in it: views, foreign keys, tables that inherit, columns of its types, and what depends on
 * those in turn. Each as PostgreSQL names it, for example `view public.report`.
 */
export async function dependentsOf(database: Statements, schemaName: string, ctx: Transaction): Promise<string[]> {
  return textsOf(await database.execute<Text>(DEPENDENTS, [schemaName], ctx));
}

/**
 * Locks the tables of a schema against everybody, as dropping them does. A transaction that is creating a view on one of them holds a lock,
 * so the view is there to be found when this returns. Takes no locks that dropping the schema would not take.
 */
export async function lockTables(database: Statements, schemaName: string, ctx: Transaction): Promise<void> {
  const tables = await database.execute<{ name: string }>(TABLES, [schemaName], ctx);

  if (tables.length > 0) {
    const names = tables.map(({ name }) => `only ${quoteIdentifier(schemaName)}.${quoteIdentifier(name)}`);
    await database.execute(`lock table ${names.join(', ')} in access exclusive mode`, [], ctx);
  }
}

export function textsOf(rows: readonly Text[]): string[] {
  return rows.map(row => row.text);
}

export type Statements = Pick<TenantDatabase, 'execute'>;

export interface Text {
  readonly text: string;
}

// a table that somebody else owns may be dropped with the schema, but not locked
const TABLES = `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = ? and c.relkind in ('r', 'p') and has_table_privilege(c.oid, 'update, delete, truncate') order by 1`;

/**
 * `inside` is the schema with what is its own: what PostgreSQL notes as in it, and what belongs to that without a schema of its own, such as
 * a constraint, a trigger or a row type. A dependency that is not normal ('n') is of such a part on its whole. What has neither a schema nor
 * a whole, such as a cast, is the tenant's if it depends on the tenant. `lost` begins with what else depends on `inside`, and goes on as
 * `drop … cascade` does: to what depends on it, and from a part that cannot go alone ('i') to its whole. Of `lost`, wholes are named.
 *
 * `offset 0` and the scalar sub-queries keep PostgreSQL to the two indexes of `pg_depend`. Joined, it would read the catalog of all tenants.
 */
const DEPENDENTS = `with recursive inside (classid, objid) as (
  select 'pg_namespace'::regclass::oid, oid from pg_namespace where nspname = ?
  union
  select d.classid, d.objid from inside i
  cross join lateral (
    select p.* from pg_depend p where p.refclassid = i.classid and p.refobjid = i.objid and (
      i.classid = 'pg_namespace'::regclass
      or coalesce((
        select bool_and(o.refclassid <> 'pg_namespace'::regclass) and (p.deptype <> 'n' or bool_and(o.deptype = 'n'))
        from pg_depend o where o.classid = p.classid and o.objid = p.objid
      ), false)
    ) offset 0
  ) d
), lost (classid, objid, objsubid) as (
  select d.classid, d.objid, d.objsubid from inside i
  cross join lateral (select p.* from pg_depend p where p.refclassid = i.classid and p.refobjid = i.objid offset 0) d
  where (d.classid, d.objid) not in (select classid, objid from inside)
  union
  select d.* from lost l
  cross join lateral (
    select p.classid, p.objid, p.objsubid from pg_depend p
    where p.refclassid = l.classid and p.refobjid = l.objid and (l.objsubid = 0 or p.refobjsubid = l.objsubid)
    union all
    select p.refclassid, p.refobjid, p.refobjsubid from pg_depend p
    where p.classid = l.classid and p.objid = l.objid and p.objsubid = l.objsubid and p.deptype = 'i'
    offset 0
  ) d
), named as (
  select l.* from lost l
  where (l.classid, l.objid) not in (select classid, objid from inside)
    and not exists (
      select from lost w where w.classid = l.classid and w.objid = l.objid and w.objsubid = 0 and l.objsubid <> 0
    )
    and not exists (
      select from lost w
      cross join lateral (
        select from pg_depend p where p.classid = l.classid and p.objid = l.objid and p.deptype <> 'n'
          and p.refclassid = w.classid and p.refobjid = w.objid and (w.objsubid = 0 or p.refobjsubid = w.objsubid) offset 0
      ) d
      where (w.classid, w.objid) not in (select classid, objid from inside)
    )
)
select distinct o.type || ' ' || o.identity as text from named n
cross join lateral pg_identify_object(n.classid, n.objid, n.objsubid) o
where o.identity is not null order by 1`;
