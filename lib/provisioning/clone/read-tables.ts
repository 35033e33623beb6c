import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { jsonRows, objectsOf, type Sql } from './rows.js';

/** A table, view, materialised view or sequence as the catalog has it. Names are quoted, those of other schemas are qualified. */
export interface Relation {
  readonly oid: string;
  readonly name: Sql;
  /** The name without quotes. */
  readonly rawName: string;
  readonly kind: 'r' | 'p' | 'v' | 'm' | 'S' | 'f';
  readonly isUnlogged: boolean;
  readonly hasPolicies: boolean;
  readonly isForced: boolean;
  readonly replicaIdentity: 'd' | 'n' | 'f' | 'i';
  readonly isPopulated: boolean;
  readonly isPartition: boolean;
  readonly isTyped: boolean;
  readonly options: readonly string[] | null;
  readonly toastOptions: readonly string[] | null;
  readonly tablespace: Sql | null;
  readonly method: Sql | null;
  readonly partitionKey: string | null;
  readonly bound: string | null;
  readonly definition: string | null;
  readonly parents: readonly { readonly oid: string; readonly name: Sql; readonly isOwn: boolean }[] | null;
}

export interface Column {
  readonly relation: string;
  readonly number: number;
  readonly name: Sql;
  readonly type: Sql;
  /** Whether the type is of the schema, so that a value of it has to be read anew as one of the other schema's. */
  readonly isOwnType: boolean;
  readonly isNotNull: boolean;
  readonly isIdentity: 'a' | 'd' | '';
  readonly generated: 's' | 'v' | '';
  readonly isLocal: boolean;
  readonly expression: string | null;
  readonly expressionOid: string | null;
  readonly collation: Sql | null;
  readonly storage: 'p' | 'e' | 'm' | 'x' | null;
  readonly compression: string | null;
  readonly statistics: number | null;
  readonly options: readonly string[] | null;
  /** Of PostgreSQL 18 and later, where a column that may not be null has a constraint. */
  readonly notNull: { readonly name: Sql; readonly isNoInherit: boolean; readonly isLocal: boolean; readonly isValid: boolean } | null;
}

export interface Sequence {
  readonly oid: string;
  readonly name: Sql;
  readonly isUnlogged: boolean;
  readonly type: string;
  readonly start: string;
  readonly increment: string;
  readonly max: string;
  readonly min: string;
  readonly cache: string;
  readonly isCycling: boolean;
  /** `i` is that of an identity column, `a` belongs to a column. */
  readonly ownership: 'i' | 'a' | null;
  readonly table: string | null;
  readonly tableName: Sql | null;
  readonly column: number | null;
  readonly columnName: Sql | null;
}

/** By name, and not in the order in which they were made: a copy and its source are read alike. */
export async function readRelations(database: TenantDatabase, oid: string, ctx: Transaction): Promise<Relation[]> {
  return jsonRows(
    database,
    `with ${objectsOf(oid)}
    select c.oid::text as oid, quote_ident(c.relname) as name, c.relname as "rawName", c.relkind as kind, c.relpersistence = 'u' as "isUnlogged",
      c.relrowsecurity as "hasPolicies", c.relforcerowsecurity as "isForced", c.relreplident as "replicaIdentity", c.relispopulated as "isPopulated",
      c.relispartition as "isPartition", c.reloftype <> 0 as "isTyped", c.reloptions as options,
      (select t.reloptions from pg_class t where t.oid = c.reltoastrelid) as "toastOptions",
      (select quote_ident(s.spcname) from pg_tablespace s where s.oid = c.reltablespace) as tablespace,
      (select quote_ident(a.amname) from pg_am a where a.oid = c.relam and a.amname <> 'heap') as method,
      case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as "partitionKey", pg_get_expr(c.relpartbound, c.oid) as bound,
      case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end as definition,
      (select json_agg(json_build_object('oid', i.inhparent::text, 'name', i.inhparent::regclass::text, 'isOwn', p.relnamespace = c.relnamespace)
        order by i.inhseqno) from pg_inherits i join pg_class p on p.oid = i.inhparent where i.inhrelid = c.oid) as parents
    from relations c where c.relkind in ('r', 'p', 'v', 'm', 'f') order by c.relname collate "C"`,
    ctx,
  );
}

export async function readColumns(database: TenantDatabase, oid: string, ctx: Transaction): Promise<Column[]> {
  return jsonRows(
    database,
    `with ${objectsOf(oid)}, composites as (
      select c.* from objects o join pg_type t on t.oid = o.objid join pg_class c on c.oid = t.typrelid and c.relkind = 'c'
      where o.classid = 'pg_type'::regclass
    )
    select a.attrelid::text as relation, a.attnum as number, quote_ident(a.attname) as name, format_type(a.atttypid, a.atttypmod) as type,
      t.typnamespace = ${oid} as "isOwnType", a.attnotnull as "isNotNull", a.attidentity as "isIdentity", a.attgenerated as generated,
      a.attislocal as "isLocal", pg_get_expr(d.adbin, d.adrelid) as expression, d.oid::text as "expressionOid",
      case when a.attcollation <> t.typcollation then
        (select quote_ident(n.nspname) || '.' || quote_ident(l.collname) from pg_collation l join pg_namespace n on n.oid = l.collnamespace
          where l.oid = a.attcollation) end as collation,
      case when a.attstorage <> t.typstorage then a.attstorage end as storage,
      case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end as compression,
      nullif(coalesce(a.attstattarget, -1), -1) as statistics,
      -- the two that a user can set. Some builds of PostgreSQL keep marks of their own there, which no other server takes
      (select json_agg(o) from unnest(a.attoptions) o where o ~ '^n_distinct(_inherited)?=') as options,
      (select json_build_object('name', quote_ident(k.conname), 'isNoInherit', k.connoinherit, 'isLocal', k.conislocal, 'isValid', k.convalidated)
        from pg_constraint k where k.conrelid = a.attrelid and k.contype = 'n' and k.conkey[1] = a.attnum) as "notNull"
    from (select oid from relations where relkind in ('r', 'p', 'v', 'm') union all select oid from composites) c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    order by a.attrelid, a.attnum`,
    ctx,
  );
}

export async function readSequences(database: TenantDatabase, oid: string, ctx: Transaction): Promise<Sequence[]> {
  return jsonRows(
    database,
    `with ${objectsOf(oid)}
    select c.oid::text as oid, quote_ident(c.relname) as name, c.relpersistence = 'u' as "isUnlogged", format_type(s.seqtypid, null) as type,
      s.seqstart::text as start, s.seqincrement::text as increment, s.seqmax::text as max, s.seqmin::text as min, s.seqcache::text as cache,
      s.seqcycle as "isCycling", d.deptype as ownership, d.refobjid::text as table,
      case when d.refobjid is not null then d.refobjid::regclass::text end as "tableName", a.attnum as column, quote_ident(a.attname) as "columnName"
    from relations c join pg_sequence s on s.seqrelid = c.oid
    left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where c.relkind = 'S' order by c.relname`,
    ctx,
  );
}
