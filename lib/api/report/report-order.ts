import type { EntityMetadata } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { ReportError } from '../../errors/index.js';
import type { ReadyTenant } from './behind-tenants.js';
import { columnOf, type ReportTemplate } from './report-template.js';

/** A column that rows are ordered by. */
export interface SortKey {
  readonly column: string;
  /** `asc` or `desc`, and where nulls are. */
  readonly direction: string;
}

/** @throws ReportError `REPORT_USAGE` */
export function sortKeysOf(meta: EntityMetadata, orderBy: object | readonly object[] | undefined): SortKey[] {
  return [orderBy ?? []].flat().flatMap(each =>
    Object.entries(each as Readonly<Record<string, unknown>>).map(([name, wanted]) => {
      const direction = DIRECTIONS.get(typeof wanted === 'string' ? wanted.toLowerCase().replaceAll('_', ' ') : wanted);

      if (direction === undefined) {
        throw ReportError.notADirection(name, wanted);
      }

      return { column: columnOf(meta, name, '`orderBy`').column, direction };
    }),
  );
}

/**
 * Puts rows of several batches in order. The database compares them, because nobody else knows its collations. The sort keys are given as text
 * and become values of their types again. Rows that are equal keep their places.
 */
export async function sortRows<Row extends Readonly<Record<string, unknown>>>(
  database: TenantDatabase,
  rows: readonly Row[],
  { order, types }: { readonly order: readonly SortKey[]; readonly types: ColumnTypes },
): Promise<Row[]> {
  if (rows.length < 2) {
    return [...rows];
  }

  const lists = order.map(() => `array[${rows.map(() => '?').join(', ')}]::text[]`);
  const by = order.map(({ column, direction }, index) => `${types.cast(`k."k${index}"`, column)} ${direction}`);
  const sorted = await database.execute<{ place: string | number }>(
    `select k."place" as "place" from unnest(${lists.join(', ')}) with ordinality as k (${order.map((_, index) => `"k${index}"`).join(', ')}, "place") ` +
      `order by ${[...by, 'k."place"'].join(', ')}`,
    order.flatMap((_, index) => rows.map(row => row[`landlord_k${index}`] ?? null)),
    database.orm.em.getTransactionContext(),
  );

  return sorted.map(({ place }) => rows[Number(place) - 1] as Row);
}

/** The types and collations that columns of an entity have in the tenants. */
export class ColumnTypes {
  readonly #types: ReadonlyMap<string, ColumnType>;

  static async of(
    database: TenantDatabase,
    { meta }: ReportTemplate,
    { columns, tenants }: { readonly columns: readonly string[]; readonly tenants: readonly ReadyTenant[] },
  ): Promise<ColumnTypes> {
    if (columns.length === 0 || tenants.length === 0) {
      return new ColumnTypes(new Map());
    }

    const rows = await database.execute<ColumnType & { name: string }>(
      `select distinct a.attname::text as "name", pg_catalog.format_type(a.atttypid, null) as "type", ` +
        `quote_ident(cn.nspname) || '.' || quote_ident(co.collname) as "collation" from pg_catalog.pg_namespace n ` +
        `join pg_catalog.pg_class c on c.relnamespace = n.oid join pg_catalog.pg_attribute a on a.attrelid = c.oid ` +
        `left join pg_catalog.pg_collation co on co.oid = a.attcollation left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace ` +
        `where c.relname = ? and a.attname in (${columns.map(() => '?').join(', ')}) and n.nspname in (${tenants.map(() => '?').join(', ')})`,
      [meta.tableName, ...columns, ...tenants.map(({ schemaName }) => schemaName)],
      database.orm.em.getTransactionContext(),
    );

    return new ColumnTypes(
      new Map(
        columns.map(column => [
          column,
          commonType(
            meta,
            column,
            rows.filter(({ name }) => name === column),
          ),
        ]),
      ),
    );
  }

  private constructor(types: ReadonlyMap<string, ColumnType>) {
    this.#types = types;
  }

  /** Undefined if there are no tenants. */
  typeOf(column: string): string | undefined {
    return this.#types.get(column)?.type;
  }

  /** Makes a value of the column of a text. */
  cast(text: string, column: string): string {
    const { type, collation } = this.#types.get(column) ?? { type: 'text', collation: null };

    return `${text}::${type}${collation === null ? '' : ` collate ${collation}`}`;
  }
}

/** Tenants that are behind may have another type: an integer where others have a bigint. */
function commonType(meta: EntityMetadata, column: string, found: readonly ColumnType[]): ColumnType {
  const [first = { type: 'text', collation: null }, ...others] = found;

  if (others.length === 0) {
    return first;
  }

  const wider = WIDER.find(({ types }) => found.every(({ type }) => types.includes(type)));

  if (wider === undefined || new Set(found.map(({ collation }) => collation)).size > 1) {
    throw ReportError.severalTypes(
      meta.className,
      column,
      found.map(({ type, collation }) => (collation === null ? type : `${type} collate ${collation}`)),
    );
  }

  return { type: wider.as, collation: first.collation };
}

const WIDER: readonly { readonly types: readonly string[]; readonly as: string }[] = [
  { types: ['smallint', 'integer', 'bigint', 'numeric'], as: 'numeric' },
  { types: ['text', 'character varying'], as: 'text' },
];

const DIRECTIONS = new Map<unknown, string>([
  [1, 'asc'],
  [-1, 'desc'],
  ...['asc', 'desc'].flatMap(each => ['', ' nulls first', ' nulls last'].map(nulls => [each + nulls, each + nulls] as [unknown, string])),
]);

interface ColumnType {
  readonly type: string;
  readonly collation: string | null;
}
