import type { EntityMetadata } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { ReportError } from '../../errors/index.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import { ColumnTypes } from './report-order.js';
import type { ReportBatches } from './report-batches.js';
import { valueOf, type RawRow } from './report-rows.js';
import { TENANT, unionOf } from './report-sql.js';
import { columnOf, type PropertyColumn, type ReportTemplate } from './report-template.js';

/** What is computed over all tenants, of what it is made in each batch, and what becomes of it. */
interface Part {
  readonly name: string;
  readonly kind: 'count' | 'sum' | 'avg' | 'min' | 'max';
  /** Undefined for the number of rows. */
  readonly of: PropertyColumn | undefined;
}

/** @throws ReportError `REPORT_USAGE` */
export function partsOf(meta: EntityMetadata, aggregates: Readonly<Record<string, unknown>>): Part[] {
  return Object.entries(aggregates).map(([name, wanted]) => {
    if (wanted === 'count') {
      return { name, kind: 'count', of: undefined };
    }

    const [kind, ...others] = Object.keys(wanted ?? {});

    if (kind === undefined || others.length > 0 || !(KINDS as readonly string[]).includes(kind)) {
      throw ReportError.notAnAggregate(name);
    }

    const [property] = Object.values(wanted as Readonly<Record<string, unknown>>);

    return { name, kind: kind as Part['kind'], of: columnOf(meta, String(property), `\`${kind}\``) };
  });
}

/** Each batch is aggregated in the database, and so are the results of all batches. */
export async function aggregateAll(batches: ReportBatches, template: ReportTemplate, asked: Asked): Promise<Record<string, unknown>[]> {
  const { database, parts, groups, byTenant } = asked;
  const columns = [...new Set([...groups, ...parts.flatMap(({ of }) => of ?? [])].map(({ column }) => column))];
  const types = await ColumnTypes.of(database, template, { columns, tenants: batches.tenants });

  for (const { kind, of } of parts) {
    const type = of && types.typeOf(of.column);

    if (of !== undefined && type !== undefined && (kind === 'sum' || kind === 'avg') && !NUMERIC.includes(type)) {
      throw ReportError.notAColumn(template.meta.className, of.name, `\`${kind}\``, `its type is ${type}`);
    }
  }

  const inBatch = [
    ...(byTenant ? [TENANT] : []),
    ...groups.map(({ column }, index) => `"u".${quoteIdentifier(column)}::text as "g${index}"`),
    ...parts.flatMap((part, index) => partialOf(part, index)),
  ];
  const by = [...(byTenant ? [TENANT] : []), ...groups.map(({ column }) => `"u".${quoteIdentifier(column)}`)];
  const grouped = by.length === 0 ? '' : ` group by ${by.join(', ')}`;
  const selected = columns.map(column => `"q".${quoteIdentifier(column)}`);
  const partials = (
    await batches.all<RawRow>(tenants => {
      const { sql, params } = unionOf(template, tenants, { columns: selected });

      return { sql: `select ${inBatch.join(', ')} from (${sql}) as "u"${grouped}`, params };
    })
  ).flat();
  const rows = await combine(partials, types, asked);

  return rows.map(row => ({
    ...(byTenant ? { tenant: row.landlord_tenant } : {}),
    ...Object.fromEntries(groups.map(({ name, property }, index) => [name, valueOf(property, row[`g${index}`], database)])),
    ...Object.fromEntries(parts.map((part, index) => [part.name, resultOf(part, row[`a${index}`], database)])),
  }));
}

function partialOf({ kind, of }: Part, index: number): string[] {
  const column = of && `"u".${quoteIdentifier(of.column)}`;

  switch (kind) {
    case 'count':
      return [`count(${column ?? '*'})::text as "a${index}"`];
    case 'avg':
      return [`sum(${column})::text as "a${index}"`, `count(${column})::text as "n${index}"`];
    case 'sum':
    case 'min':
    case 'max':
      return [`${kind}(${column})::text as "a${index}"`];
  }
}

async function combine(partials: readonly RawRow[], types: ColumnTypes, { database, parts, groups, byTenant }: Asked): Promise<RawRow[]> {
  const names = [
    ...(byTenant ? ['landlord_tenant'] : []),
    ...groups.map((_, index) => `g${index}`),
    ...parts.flatMap(({ kind }, index) => (kind === 'avg' ? [`a${index}`, `n${index}`] : [`a${index}`])),
  ];
  const groupValues = groups.map(({ column }, index) => types.cast(`p."g${index}"`, column));
  const results = parts.map(({ kind, of }, index) => {
    const text = `p."a${index}"`;

    switch (kind) {
      case 'count':
        return `coalesce(sum(${text}::numeric), 0)::text as "a${index}"`;
      case 'sum':
        return `sum(${text}::numeric)::text as "a${index}"`;
      case 'avg':
        return `(sum(${text}::numeric) / nullif(sum(p."n${index}"::numeric), 0))::text as "a${index}"`;
      case 'min':
      case 'max':
        return `${kind}(${types.cast(text, of?.column ?? '')}) as "a${index}"`;
    }
  });
  const selected = [...(byTenant ? [`p.${TENANT}`] : []), ...groupValues.map((value, index) => `${value} as "g${index}"`), ...results];
  // by the values, not by their texts
  const by = [...(byTenant ? [`p.${TENANT} collate "C"`] : []), ...groupValues];
  const grouped =
    by.length === 0 ? '' : ` group by ${[...(byTenant ? [`p.${TENANT}`] : []), ...groupValues].join(', ')} order by ${by.join(', ')}`;

  return database.execute<RawRow>(
    `select ${selected.join(', ')} from unnest(${names.map(() => `array[${partials.map(() => '?').join(', ')}]::text[]`).join(', ')}) as p (${names.map(quoteIdentifier).join(', ')})${grouped}`,
    names.flatMap(name => partials.map(row => row[name] ?? null)),
    database.orm.em.getTransactionContext(),
  );
}

function resultOf({ kind, of }: Part, value: unknown, database: TenantDatabase): unknown {
  if (kind === 'count') {
    return Number(value);
  }

  return kind === 'sum' || kind === 'avg' || of === undefined ? (value ?? null) : valueOf(of.property, value, database);
}

const KINDS = ['count', 'sum', 'avg', 'min', 'max'] as const;

const NUMERIC = ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'];

export interface Asked {
  readonly database: TenantDatabase;
  readonly parts: readonly Part[];
  readonly groups: readonly PropertyColumn[];
  readonly byTenant: boolean;
}
