import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { familiesOf, familyNodes } from './inheritance.js';
import { inOrder, type Node } from './node.js';
import { readBehaviour, readComments } from './read-behaviour.js';
import { readConstraints } from './read-indexes.js';
import { readRefused } from './read-refused.js';
import { readRoutines } from './read-routines.js';
import { readColumns, readRelations, readSequences, type Column, type Relation, type Sequence } from './read-tables.js';
import { readTypes } from './read-types.js';
import { jsonRows, objectsOf, type Sql } from './rows.js';
import { columnsSql, defaultNodes, relationNode, sequenceNode } from './table-sql.js';

/**
 * A schema as statements, which make the same in whatever schema is the only one on the path. Its own objects are named without a schema, all others
 * with theirs.
 */
export interface SchemaText {
  readonly oid: string;
  /** What comes before the rows. */
  readonly objects: readonly string[];
  readonly tables: readonly TableText[];
  readonly sequences: readonly Pick<Sequence, 'name' | 'table' | 'ownership'>[];
  /** What comes after the rows: indexes, constraints, the parts of tables. */
  readonly keys: readonly string[];
  /** What fills the materialised views that have rows, each after those that it reads. */
  readonly views: readonly string[];
  readonly foreignKeys: readonly string[];
  /** What may not be there while rows are written: triggers, rules, policies. */
  readonly behaviour: readonly string[];
  readonly comments: readonly string[];
  /** What could not be made by statements. */
  readonly refused: readonly string[];
}

/** A table that has rows of its own. */
export interface TableText {
  readonly oid: string;
  readonly name: Sql;
  readonly rawName: string;
  /** The columns that are written. */
  readonly columns: readonly Pick<Column, 'name' | 'type' | 'isOwnType'>[];
}

/**
 * Reads a schema from the catalogs. Sets the path of the transaction to that schema.
 *
 * It builds on how PostgreSQL prints definitions: a name that is found on the path has no schema.
 */
export async function readSchema(
  database: TenantDatabase,
  { schemaName, oid }: { readonly schemaName: string; readonly oid: string },
  ctx: Transaction,
): Promise<SchemaText> {
  await database.execute(`set local search_path to ${searchPathOf(schemaName)}`, [], ctx);
  const source = { oid, schemaName };
  const all = await readRelations(database, oid, ctx);
  const relations = all.filter(({ kind, isTyped }) => kind !== 'f' && !isTyped);
  const columns = await readColumns(database, oid, ctx);
  const columnsOf = (relation: string): readonly Column[] => columns.filter(column => column.relation === relation);
  const sequences = await readSequences(database, oid, ctx);
  const depends = await readDepends(database, oid, ctx);
  const families = familiesOf(relations, columnsOf);
  const members = new Set(families.flatMap(family => family.members));
  const nodes = [
    ...(await readTypes(database, oid, { ctx, columnsOf })),
    ...(await readRoutines(database, source, ctx)),
    ...relations
      .filter(relation => !members.has(relation))
      .map(relation =>
        relationNode(relation, { columns: columnsOf(relation.oid), identities: identitiesOf(relation, { sequences, columnsOf }) }),
      ),
    ...families.flatMap(family =>
      familyNodes(family, { columnsOf, depends, identitiesOf: relation => identitiesOf(relation, { sequences, columnsOf }) }),
    ),
    ...sequences.filter(({ ownership }) => ownership !== 'i').map(sequenceNode),
    ...relations.flatMap(relation => defaultNodes(relation, columnsOf(relation.oid))),
  ];
  const { ordered, stuck } = inOrder(nodes, depends);
  const { keys, ofIndexes, foreignKeys } = await readConstraints(database, { ...source, relations }, ctx);
  const place = new Map(ordered.map(({ id }, index) => [id, index]));

  return {
    oid,
    objects: [...ordered.flatMap(({ sql }) => sql), ...relations.flatMap(relation => columnsSql(relation, columnsOf(relation.oid)))],
    tables: relations.filter(({ kind }) => kind === 'r').map(relation => tableText(relation, columnsOf(relation.oid))),
    sequences,
    keys: [...keys, ...attachSql(relations), ...ofIndexes],
    views: refreshSql(
      relations
        .filter(({ kind }) => kind === 'm')
        .toSorted((a, b) => (place.get(`pg_class ${a.oid}`) ?? 0) - (place.get(`pg_class ${b.oid}`) ?? 0)),
      depends,
    ),
    foreignKeys,
    behaviour: await readBehaviour(database, { ...source, relations }, ctx),
    comments: await readComments(database, oid, ctx),
    refused: [...(await readRefused(database, oid, ctx)), ...stuck.map(circleText)],
  };
}

function tableText({ oid, name, rawName }: Relation, columns: readonly Column[]): TableText {
  return { oid, name, rawName, columns: columns.filter(({ generated }) => generated === '') };
}

/** Parts are attached to their wholes, the deepest first, so that the indexes of each whole are complete when it becomes a part. */
function attachSql(relations: readonly Relation[]): string[] {
  const byOid = new Map(relations.map(relation => [relation.oid, relation]));
  const depthOf = ({ isPartition, parents }: Relation): number => {
    const parent = byOid.get(parents?.[0]?.oid ?? '');

    return isPartition && parent !== undefined ? 1 + depthOf(parent) : 0;
  };

  return relations
    .filter(({ isPartition }) => isPartition)
    .toSorted((a, b) => depthOf(b) - depthOf(a))
    .map(({ name, parents, bound }) => `alter table only ${parents?.[0]?.name} attach partition ${name} ${bound}`);
}

function identitiesOf(
  { oid }: Relation,
  { sequences, columnsOf }: { readonly sequences: readonly Sequence[]; readonly columnsOf: (relation: string) => readonly Column[] },
): (Sequence & { readonly isAlways: boolean })[] {
  return sequences
    .filter(({ ownership, table }) => ownership === 'i' && table === oid)
    .map(sequence => ({ ...sequence, isAlways: columnsOf(oid).find(({ number }) => number === sequence.column)?.isIdentity === 'a' }));
}

/** One without rows is filled while another is that reads it: that one got its rows when it had some. */
function refreshSql(views: readonly Relation[], depends: ReadonlyMap<string, readonly string[]>): string[] {
  const read = new Set<string>();
  const visit = (id: string): void => {
    if (!read.has(id)) {
      read.add(id);
      depends.get(id)?.forEach(visit);
    }
  };
  views.filter(({ isPopulated }) => isPopulated).forEach(({ oid }) => visit(`pg_class ${oid}`));
  const filled = views.filter(({ oid }) => read.has(`pg_class ${oid}`));

  return [
    ...filled.map(({ name }) => `refresh materialized view ${name}`),
    ...filled
      .filter(({ isPopulated }) => !isPopulated)
      .toReversed()
      .map(({ name }) => `refresh materialized view ${name} with no data`),
  ];
}

/** What each node needs, by the ids of nodes: what belongs to something is that. */
async function readDepends(database: TenantDatabase, oid: string, ctx: Transaction): Promise<Map<string, string[]>> {
  const rows = await jsonRows<{ id: string; needs: string }>(database, DEPENDS(oid), ctx);
  const depends = new Map<string, string[]>();

  for (const { id, needs } of rows) {
    depends.set(id, [...(depends.get(id) ?? []), needs]);
  }

  return depends;
}

function circleText({ sql }: Node): string {
  return `objects that need each other in a circle, one of them by \`${sql[0]?.slice(0, 80)}\``;
}

// the rule of a view is the view, the default of a generated column is its table, and a row type is its table
const DEPENDS = (oid: string): string => `with ${objectsOf(oid)}, parts as (
    select classid, objid, classid as ofclass, objid as ofobject from objects
    union all
    select 'pg_rewrite'::regclass, w.oid, 'pg_class'::regclass, r.oid from relations r join pg_rewrite w on w.ev_class = r.oid and w.rulename = '_RETURN'
    union all
    select 'pg_attrdef'::regclass, d.oid, case when a.attgenerated = '' then 'pg_attrdef'::regclass else 'pg_class'::regclass end,
      case when a.attgenerated = '' then d.oid else r.oid end
    from relations r join pg_attrdef d on d.adrelid = r.oid join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    union all
    select 'pg_constraint'::regclass, k.oid, 'pg_constraint'::regclass, k.oid from objects o join pg_constraint k on k.contypid = o.objid
    where o.classid = 'pg_type'::regclass
    union all
    select 'pg_class'::regclass, t.typrelid, 'pg_type'::regclass, t.oid from objects o join pg_type t on t.oid = o.objid join pg_class c on c.oid = t.typrelid
    where o.classid = 'pg_type'::regclass and c.relkind = 'c'
  )
  select distinct p.ofclass::regclass || ' ' || p.ofobject as id, case
      when d.refclassid = 'pg_type'::regclass then coalesce(
        (select case when c.relkind = 'c' then 'pg_type ' || b.oid else 'pg_class ' || c.oid end from pg_class c where c.oid = b.typrelid),
        (select 'pg_type ' || g.rngtypid from pg_range g where (to_jsonb(g) ->> 'rngmultitypid')::oid = b.oid), 'pg_type ' || b.oid)
      else d.refclassid::regclass || ' ' || d.refobjid end as needs
  from parts p join pg_depend d on d.classid = p.classid and d.objid = p.objid
  left join pg_type t on d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid
  left join pg_type b on b.oid = case when t.typelem <> 0 and t.typcategory = 'A' then t.typelem else t.oid end
  where d.refclassid in ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass) and d.deptype in ('n', 'a', 'i')
  order by 1, 2`;
