import { quoteIdentifier } from '../../postgres/schema-name.js';
import type { ReadyTenant } from './behind-tenants.js';
import type { SortKey } from './report-order.js';
import type { ReportTemplate, Sql } from './report-template.js';

/** The rows of a batch: `union all` of its tenants, each with its name. */
export function unionOf(
  template: ReportTemplate,
  tenants: readonly ReadyTenant[],
  { columns = columnsOf(template), tail = NO_TAIL }: UnionParts = {},
): Sql {
  const parts = tenants.map(({ schemaName }) => {
    const { sql, params } = template.queryOf(schemaName);
    const select = `select ${['?::text as "landlord_tenant"', ...columns].join(', ')} from (${sql}) as "q"`;

    return { sql: tail.sql === '' ? select : `(${select} ${tail.sql})`, params: [schemaName, ...params, ...tail.params] };
  });

  return { sql: parts.map(({ sql }) => sql).join(' union all '), params: parts.flatMap(({ params }) => params) };
}

/** All columns, those of a tenant's own enums as text, because their types differ from tenant to tenant. */
function columnsOf({ properties }: ReportTemplate): string[] {
  return properties.flatMap(({ fieldNames, nativeEnumName, columnTypes }) =>
    fieldNames.map((name, index) => {
      const column = `"q".${quoteIdentifier(name)}`;
      const isArray = columnTypes?.[index]?.endsWith('[]') === true;

      return nativeEnumName === undefined ? column : `${column}::text${isArray ? '[]' : ''} as ${quoteIdentifier(name)}`;
    }),
  );
}

/** The rows of a batch in order, with what they are ordered by as text, which says each value exactly. */
export function orderedUnionOf(
  template: ReportTemplate,
  tenants: readonly ReadyTenant[],
  { order, most }: { readonly order: readonly SortKey[]; readonly most: number | undefined },
): Sql {
  const keys = order.map(({ column, direction }) => `${quoteIdentifier(column)} ${direction}`);
  const ties = template.keys.map(quoteIdentifier);
  const limit = limitOf(most);
  const tail = most === undefined ? NO_TAIL : { sql: `order by ${[...keys, ...ties].join(', ')} ${limit.sql}`, params: limit.params };
  const union = unionOf(template, tenants, { tail });
  const texts = order.map(({ column }, index) => `"u".${quoteIdentifier(column)}::text as "landlord_k${index}"`);

  return {
    sql: `select "u".*, ${texts.join(', ')} from (${union.sql}) as "u" order by ${[...keys, `${TENANT} collate "C"`, ...ties].join(', ')} ${limit.sql}`,
    params: [...union.params, ...limit.params],
  };
}

export function limitOf(most: number | undefined): Sql {
  return most === undefined ? NO_TAIL : { sql: 'limit ?', params: [most] };
}

/** The column that says whose row it is. */
export const TENANT = '"landlord_tenant"';

const NO_TAIL: Sql = { sql: '', params: [] };

interface UnionParts {
  readonly columns?: readonly string[];
  /** What follows the query of each tenant. */
  readonly tail?: Sql;
}
