import { optionsSql, withSql } from './storage-options.js';
import type { Node } from './node.js';
import type { Column, Relation, Sequence } from './read-tables.js';

/** The statements that make a table, a view or a materialised view, without what can be added later. */
export function relationNode(relation: Relation, { columns, identities }: RelationParts): Node {
  const { oid, parents } = relation;
  const after = (parents ?? []).map(parent => `pg_class ${parent.oid}`);

  return {
    id: `pg_class ${oid}`,
    after,
    sql:
      relation.kind === 'v' || relation.kind === 'm'
        ? [viewSql(relation, columns)]
        : [tableSql(relation, columns), ...ownNotNullSql(relation, columns), ...identities.map(identitySql)],
  };
}

/** The statements that give columns their defaults. Those of generated columns are part of their tables. */
export function defaultNodes(relation: Relation, columns: readonly Column[]): Node[] {
  return columns.flatMap(({ name, expression, expressionOid, generated }) =>
    expression === null || generated !== ''
      ? []
      : [
          {
            id: `pg_attrdef ${expressionOid}`,
            sql: [`alter table ${relation.kind === 'v' ? '' : 'only '}${relation.name} alter column ${name} set default ${expression}`],
            after: [`pg_class ${relation.oid}`],
          },
        ],
  );
}

export function sequenceNode(sequence: Sequence): Node {
  return {
    id: `pg_class ${sequence.oid}`,
    sql: [
      `create ${sequence.isUnlogged ? 'unlogged ' : ''}sequence ${sequence.name} as ${sequence.type} ${sequenceOptions(sequence)}`,
      ...(sequence.ownership === 'a' ? [`alter sequence ${sequence.name} owned by ${sequence.tableName}.${sequence.columnName}`] : []),
    ],
    after: sequence.ownership === 'a' ? [`pg_class ${sequence.table}`] : [],
  };
}

function tableSql(relation: Relation, columns: readonly Column[]): string {
  const { isPartition } = relation;
  // a partition is made on its own and attached when it has its rows, so that its columns may be in another order than those of the whole
  const own = isPartition ? columns : columns.filter(({ isLocal }) => isLocal);

  return tableHeadSql(relation, [
    ...own.map(column => definitionOf(column, isPartition)),
    ...(isPartition ? [] : columns.flatMap(inheritedNotNull)),
  ]);
}

/** Where not every such rule is a constraint: before PostgreSQL 18. */
function ownNotNullSql({ isPartition, name }: Relation, columns: readonly Column[]): string[] {
  return isPartition
    ? []
    : columns
        .filter(({ isLocal, isNotNull, notNull }) => !isLocal && isNotNull && notNull === null)
        .map(column => `alter table only ${name} alter column ${column.name} set not null`);
}

/** Of PostgreSQL 18 and later: a child may not leave a column empty that its parents may. */
function inheritedNotNull({ name, isLocal, notNull }: Column): string[] {
  return !isLocal && notNull?.isLocal === true && notNull.isValid
    ? [`constraint ${notNull.name} not null ${name}${notNull.isNoInherit ? ' no inherit' : ''}`]
    : [];
}

/** The table with these definitions. */
export function tableHeadSql(relation: Relation, definitions: readonly string[]): string {
  const { name, isUnlogged, partitionKey, parents, isPartition, method, options, toastOptions, tablespace } = relation;
  const inherited = !isPartition && parents !== null ? ` inherits (${parents.map(parent => parent.name).join(', ')})` : '';

  return [
    `create ${isUnlogged ? 'unlogged ' : ''}table ${name} (${definitions.join(', ')})`,
    inherited,
    partitionKey === null ? '' : ` partition by ${partitionKey}`,
    method === null ? '' : ` using ${method}`,
    withSql([...optionsSql(options), ...optionsSql(toastOptions, 'toast.')]),
    tablespace === null ? '' : ` tablespace ${tablespace}`,
  ].join('');
}

export function definitionOf(column: Column, isPartition: boolean): string {
  const { name, type, collation, generated, expression, isNotNull, notNull } = column;
  const isOwnNotNull = isNotNull && (notNull === null || (notNull.isValid && (notNull.isLocal || isPartition)));
  const constraint = notNull === null ? '' : ` constraint ${notNull.name}`;

  return [
    `${name} ${type}`,
    collation === null ? '' : ` collate ${collation}`,
    generated === '' ? '' : ` generated always as (${expression}) ${generated === 's' ? 'stored' : 'virtual'}`,
    isOwnNotNull ? `${constraint} not null${notNull?.isNoInherit === true ? ' no inherit' : ''}` : '',
  ].join('');
}

/**
 * What the columns have beside their types. It comes when all tables are there: a table has these of its parents when it is made, may differ from them
 * since, and cannot be made of parents that differ from each other.
 */
export function columnsSql({ kind, name }: Relation, columns: readonly Column[]): string[] {
  return kind === 'v' ? [] : columns.flatMap(column => columnSql(name, column));
}

function columnSql(table: string, column: Column): string[] {
  const { name, storage, compression, statistics, options, generated } = column;
  const alter = `alter table only ${table} alter column ${name}`;

  const set = options === null ? [] : [`${alter} set (${optionsSql(options).join(', ')})`];

  return generated === 'v'
    ? set
    : [
        ...(storage === null ? [] : [`${alter} set storage ${STORAGE[storage]}`]),
        ...(compression === null ? [] : [`${alter} set compression ${compression}`]),
        ...(statistics === null ? [] : [`${alter} set statistics ${statistics}`]),
        ...set,
      ];
}

export function identitySql(sequence: Sequence & { readonly isAlways: boolean }): string {
  const kind = sequence.isAlways ? 'always' : 'by default';

  return (
    `alter table ${sequence.tableName} alter column ${sequence.columnName} ` +
    `add generated ${kind} as identity (sequence name ${sequence.name} ${sequenceOptions(sequence)})`
  );
}

function sequenceOptions({ start, increment, max, min, cache, isCycling }: Sequence): string {
  return `start with ${start} increment by ${increment} minvalue ${min} maxvalue ${max} cache ${cache}${isCycling ? ' cycle' : ''}`;
}

function viewSql(relation: Relation, columns: readonly Column[]): string {
  const { name, kind, options, method, tablespace, definition } = relation;
  const names = columns.length === 0 ? '' : ` (${columns.map(column => column.name).join(', ')})`;
  const query = (definition ?? '').trimEnd().replace(/;$/, '');
  const using = `${method === null ? '' : ` using ${method}`}`;

  return kind === 'v'
    ? `create view ${name}${names}${withSql(optionsSql(options))} as ${query}`
    : `create materialized view ${name}${names}${using}${withSql(optionsSql(options))}${tablespace === null ? '' : ` tablespace ${tablespace}`} as ${query} with no data`;
}

export interface RelationParts {
  readonly columns: readonly Column[];
  readonly identities: readonly (Sequence & { readonly isAlways: boolean })[];
}

const STORAGE = { p: 'plain', e: 'external', m: 'main', x: 'extended' } as const;
