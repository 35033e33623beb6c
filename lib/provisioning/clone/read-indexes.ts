import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { optionsSql, withSql } from './storage-options.js';
import type { Relation } from './read-tables.js';
import { jsonRows, objectsOf, type Sql } from './rows.js';
import { unqualified } from './unqualified.js';

/** The statements for indexes, keys and checks, that come after the rows, and those for what refers to other tables. */
export interface ConstraintText {
  /** Indexes, keys, exclusions and checks. */
  readonly keys: readonly string[];
  /** What is said of indexes that are there: the one to cluster by, the replica identity, storage parameters. */
  readonly ofIndexes: readonly string[];
  readonly foreignKeys: readonly string[];
}

export async function readConstraints(
  database: TenantDatabase,
  { oid, schemaName, relations }: { readonly oid: string; readonly schemaName: string; readonly relations: readonly Relation[] },
  ctx: Transaction,
): Promise<ConstraintText> {
  const indexes = await jsonRows<IndexRow>(database, INDEXES(oid), ctx);
  const constraints = await jsonRows<ConstraintRow>(database, CONSTRAINTS(oid), ctx);
  const validated = await jsonRows<Pick<ConstraintRow, 'name' | 'tableName'>>(database, VALIDATED(oid), ctx);

  return {
    keys: [
      ...indexes
        .filter(({ isOfConstraint }) => !isOfConstraint)
        .map(({ definition, table }) => unqualified(definition, { schemaName, name: table }).replace(ONLY, ' ON ')),
      ...constraints.filter(({ type }) => 'pux'.includes(type)).map(constraintSql),
      ...constraints.filter(({ type }) => type === 'c' || type === 'n').map(constraintSql),
      ...validated.map(({ name, tableName }) => `alter table ${tableName} validate constraint ${name}`),
    ],
    // by name, as a copy has its indexes before the keys
    ofIndexes: [...indexes.toSorted((a, b) => (a.name < b.name ? -1 : 1)).flatMap(ofIndex), ...relations.flatMap(identitySql)],
    foreignKeys: constraints.filter(({ type }) => type === 'f').map(constraintSql),
  };
}

function ofIndex(index: IndexRow): string[] {
  const { name, tableName, isClustered, isReplicaIdentity, isOfConstraint, options, statistics } = index;

  return [
    ...(isOfConstraint && options !== null && !index.isWhole ? [`alter index ${name} set (${optionsSql(options).join(', ')})`] : []),
    ...(isOfConstraint && index.tablespace !== null ? [`alter index ${name} set tablespace ${index.tablespace}`] : []),
    ...(statistics ?? []).map(({ number, target }) => `alter index ${name} alter column ${number} set statistics ${target}`),
    ...(isClustered ? [`alter table ${tableName} cluster on ${name}`] : []),
    ...(isReplicaIdentity ? [`alter table only ${tableName} replica identity using index ${name}`] : []),
  ];
}

function identitySql({ kind, name, replicaIdentity }: Relation): string[] {
  return (kind === 'r' || kind === 'p') && (replicaIdentity === 'f' || replicaIdentity === 'n')
    ? [`alter table only ${name} replica identity ${replicaIdentity === 'f' ? 'full' : 'nothing'}`]
    : [];
}

function constraintSql({ tableName, name, definition, wholeOptions }: ConstraintRow): string {
  // the index of a partitioned table takes them only when it is made
  const options = withSql(optionsSql(wholeOptions));
  const [, head = '', tail = ''] = /^(.*?)((?: WHERE \(.*)?(?: (?:NOT )?DEFERRABLE.*)?)$/s.exec(definition) ?? [];

  return `alter table ${tableName} add constraint ${name} ${options === '' ? definition : head + options + tail}`;
}

// the whole has no parts yet when its index is made
const ONLY = / ON ONLY /;

const INDEXES = (oid: string): string => `with ${objectsOf(oid)}
  select quote_ident(c.relname) as name, r.relname as table, quote_ident(r.relname) as "tableName", pg_get_indexdef(i.indexrelid) as definition,
    i.indisclustered as "isClustered", i.indisreplident as "isReplicaIdentity", c.relkind = 'I' as "isWhole", c.reloptions as options,
    (select quote_ident(s.spcname) from pg_tablespace s where s.oid = c.reltablespace) as tablespace,
    exists (select from pg_constraint k where k.conrelid = r.oid and k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')) as "isOfConstraint",
    (select json_agg(json_build_object('number', a.attnum, 'target', a.attstattarget) order by a.attnum)
      from pg_attribute a where a.attrelid = i.indexrelid and coalesce(a.attstattarget, -1) >= 0) as statistics
  from relations r join pg_index i on i.indrelid = r.oid join pg_class c on c.oid = i.indexrelid
  where r.relkind in ('r', 'p', 'm') order by i.indexrelid`;

// a constraint that is inherited comes with that of the whole or of the parent. Of a partition it has to be there before, except for an exclusion, which
// PostgreSQL always makes anew when a partition is attached
const CONSTRAINTS = (oid: string): string => `with ${objectsOf(oid)}
  select quote_ident(k.conname) as name, quote_ident(r.relname) as "tableName", k.contype as type, pg_get_constraintdef(k.oid) as definition,
    (select c.reloptions from pg_class c where c.oid = k.conindid and c.relkind = 'I' and k.contype in ('p', 'u', 'x')) as "wholeOptions"
  from relations r join pg_constraint k on k.conrelid = r.oid
  where k.contype in ('p', 'u', 'x', 'c', 'f', 'n')
    and (k.contype <> 'n' or not k.convalidated) and (k.contype not in ('f', 'x') or k.conparentid = 0)
    and (k.contype not in ('c', 'n') or k.conislocal or r.relispartition)
  order by k.oid`;

// a child that came after its parent's constraint has it looked at
const VALIDATED = (oid: string): string => `with ${objectsOf(oid)}
  select quote_ident(k.conname) as name, quote_ident(r.relname) as "tableName"
  from relations r join pg_constraint k on k.conrelid = r.oid
  where k.contype in ('c', 'n') and k.convalidated and not k.conislocal and not r.relispartition and exists (select from pg_inherits i
    join pg_constraint p on p.conrelid = i.inhparent and p.conname = k.conname and not p.convalidated where i.inhrelid = r.oid)
  order by k.oid`;

interface IndexRow {
  readonly name: Sql;
  /** The name of its table, without quotes. */
  readonly table: string;
  readonly tableName: Sql;
  readonly definition: string;
  readonly isClustered: boolean;
  readonly isReplicaIdentity: boolean;
  readonly options: readonly string[] | null;
  readonly tablespace: Sql | null;
  readonly isOfConstraint: boolean;
  /** Whether it is of a partitioned table. */
  readonly isWhole: boolean;
  readonly statistics: readonly { readonly number: number; readonly target: number }[] | null;
}

interface ConstraintRow {
  readonly name: Sql;
  readonly tableName: Sql;
  readonly type: 'p' | 'u' | 'x' | 'c' | 'f' | 'n';
  readonly definition: string;
  readonly wholeOptions: readonly string[] | null;
}
