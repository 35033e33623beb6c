import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteLiteral } from '../../postgres/quote-literal.js';
import type { Node } from './node.js';
import type { Column } from './read-tables.js';
import { jsonRows, objectsOf, type Sql } from './rows.js';

/** The statements that make the enums, domains, composite and range types of a schema. */
export async function readTypes(
  database: TenantDatabase,
  oid: string,
  { ctx, columnsOf }: { readonly ctx: Transaction; readonly columnsOf: (relation: string) => readonly Column[] },
): Promise<Node[]> {
  const types = await jsonRows<TypeRow>(database, TYPES(oid), ctx);

  return types.flatMap(type => [
    { id: `pg_type ${type.oid}`, sql: [typeSql(type, columnsOf)] },
    ...(type.checks ?? []).map(check => ({
      id: `pg_constraint ${check.oid}`,
      sql: [`alter domain ${type.name} add constraint ${check.name} ${check.definition}`],
      after: [`pg_type ${type.oid}`],
    })),
  ]);
}

function typeSql(type: TypeRow, columnsOf: (relation: string) => readonly Column[]): string {
  switch (type.kind) {
    case 'e':
      return `create type ${type.name} as enum (${(type.labels ?? []).map(quoteLiteral).join(', ')})`;
    case 'c':
      return `create type ${type.name} as (${columnsOf(type.relation)
        .map(({ name, type: columnType, collation }) => `${name} ${columnType}${collation === null ? '' : ` collate ${collation}`}`)
        .join(', ')})`;
    case 'r': {
      const range = type.range;
      const options = [
        `subtype = ${range?.subtype}`,
        ...(range?.operatorClass == null ? [] : [`subtype_opclass = ${range.operatorClass}`]),
        ...(range?.collation == null ? [] : [`collation = ${range.collation}`]),
        ...(range?.difference == null ? [] : [`subtype_diff = ${range.difference}`]),
        ...(range?.multirange == null ? [] : [`multirange_type_name = ${range.multirange}`]),
      ];

      return `create type ${type.name} as range (${options.join(', ')})`;
    }
    case 'd':
      return [
        `create domain ${type.name} as ${type.base}`,
        ...(type.collation === null ? [] : [`collate ${type.collation}`]),
        ...(type.default === null ? [] : [`default ${type.default}`]),
        ...(type.isNotNull ? [`${type.notNull === null ? '' : `constraint ${type.notNull} `}not null`] : []),
      ].join(' ');
  }
}

// the column of a domain's constraint is named by PostgreSQL 17 and later
const TYPES = (oid: string): string => `with ${objectsOf(oid)}
  select t.oid::text as oid, quote_ident(t.typname) as name, t.typtype as kind, t.typrelid::text as relation, t.typnotnull as "isNotNull",
    (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid) as labels,
    case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end as base,
    case when t.typtype = 'd' then coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault) end as default,
    case when t.typtype = 'd' and t.typcollation <> b.typcollation then (select quote_ident(n.nspname) || '.' || quote_ident(l.collname)
      from pg_collation l join pg_namespace n on n.oid = l.collnamespace where l.oid = t.typcollation) end as collation,
    (select json_agg(json_build_object('oid', k.oid::text, 'name', quote_ident(k.conname), 'definition', pg_get_constraintdef(k.oid)) order by k.oid)
      from pg_constraint k where k.contypid = t.oid and k.contype = 'c') as checks,
    (select quote_ident(k.conname) from pg_constraint k where k.contypid = t.oid and k.contype = 'n') as "notNull",
    (select json_build_object('subtype', format_type(r.rngsubtype, null),
        'operatorClass', (select quote_ident(n.nspname) || '.' || quote_ident(p.opcname) from pg_opclass p join pg_namespace n on n.oid = p.opcnamespace
          where p.oid = r.rngsubopc and not p.opcdefault),
        'collation', (select quote_ident(n.nspname) || '.' || quote_ident(l.collname) from pg_collation l join pg_namespace n on n.oid = l.collnamespace
          where l.oid = r.rngcollation and r.rngcollation <> s.typcollation),
        'difference', case when r.rngsubdiff <> 0 then r.rngsubdiff::regproc::text end,
        'multirange', (select quote_ident(m.typname) from pg_type m where m.oid = (to_jsonb(r) ->> 'rngmultitypid')::oid))
      from pg_range r join pg_type s on s.oid = r.rngsubtype where r.rngtypid = t.oid) as range
  from objects o join pg_type t on t.oid = o.objid left join pg_type b on b.oid = t.typbasetype left join pg_class c on c.oid = t.typrelid
  where o.classid = 'pg_type'::regclass and (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')) order by t.oid`;

interface TypeRow {
  readonly oid: string;
  readonly name: Sql;
  readonly kind: 'e' | 'c' | 'r' | 'd';
  readonly relation: string;
  readonly isNotNull: boolean;
  readonly labels: readonly string[] | null;
  readonly base: Sql | null;
  readonly default: string | null;
  readonly collation: Sql | null;
  readonly checks: readonly { readonly oid: string; readonly name: Sql; readonly definition: string }[] | null;
  readonly notNull: Sql | null;
  readonly range: {
    readonly subtype: Sql;
    readonly operatorClass: Sql | null;
    readonly collation: Sql | null;
    readonly difference: Sql | null;
    readonly multirange: Sql | null;
  } | null;
}
