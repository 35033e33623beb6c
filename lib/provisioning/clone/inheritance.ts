import { optionsSql } from './storage-options.js';
import type { Node } from './node.js';
import type { Column, Relation } from './read-tables.js';
import type { RelationParts } from './table-sql.js';
import { definitionOf, identitySql, tableHeadSql } from './table-sql.js';

/**
 * Tables that inherit from each other, of which one has its columns in another order than `create table … inherits` gives: the parent got a column when the
 * child was there. They are made without columns, which are then added one by one, as they were.
 */
export interface Family {
  readonly members: readonly Relation[];
}

/** The families among the relations. Partitions are made on their own, and keep the order of their columns. */
export function familiesOf(relations: readonly Relation[], columnsOf: ColumnsOf): Family[] {
  const byOid = new Map(relations.map(relation => [relation.oid, relation]));
  const familyOf = new Map<string, Relation[]>();

  for (const relation of relations) {
    for (const { oid } of parentsOf(relation)) {
      const parent = byOid.get(oid);

      if (parent !== undefined) {
        const joined = [...new Set([...(familyOf.get(oid) ?? [parent]), ...(familyOf.get(relation.oid) ?? [relation])])];
        joined.forEach(member => familyOf.set(member.oid, joined));
      }
    }
  }

  const outOfOrder = relations.filter(relation => !isInOrder(relation, { byOid, columnsOf }));
  const needed = new Set(outOfOrder.flatMap(relation => withAncestors(relation, byOid)));

  // the others are made as any table is, of parents that have all their columns by then
  return [...new Set(familyOf.values())]
    .map(members => ({ members: members.filter(member => needed.has(member)) }))
    .filter(({ members }) => members.length > 0);
}

function withAncestors(relation: Relation, byOid: ReadonlyMap<string, Relation>): Relation[] {
  const parents = parentsOf(relation).flatMap(({ oid }) => byOid.get(oid) ?? []);

  return [relation, ...parents.flatMap(parent => withAncestors(parent, byOid))];
}

/** One node makes all tables of the family. Those of the others only wait for it. */
export function familyNodes({ members }: Family, { columnsOf, depends, identitiesOf }: FamilyParts): Node[] {
  const [first, ...others] = parentsFirst(members) as [Relation, ...Relation[]];
  const ids = members.map(({ oid }) => `pg_class ${oid}`);
  const needed = ids.flatMap(id => depends.get(id) ?? []).filter(id => !ids.includes(id));

  return [
    {
      id: `pg_class ${first.oid}`,
      after: needed,
      sql: [
        ...[first, ...others].map(member => tableHeadSql({ ...member, toastOptions: null }, [])),
        ...inOrderOfAll(members, columnsOf).map(
          ({ table, column }) =>
            `alter table ${table.name} add column ${definitionOf(isOnlyHere(column) ? { ...column, isNotNull: false } : column, false)}`,
        ),
        // what is stored apart has a place of its own only once there is such a column
        ...members.flatMap(({ name, toastOptions }) =>
          toastOptions === null ? [] : [`alter table only ${name} set (${optionsSql(toastOptions, 'toast.').join(', ')})`],
        ),
        ...members.flatMap(member => identitiesOf(member).map(identitySql)),
        ...members.flatMap(member => ownNotNullSql(member, columnsOf(member.oid))),
      ],
    },
    ...others.map(({ oid }) => ({ id: `pg_class ${oid}`, sql: [], after: [`pg_class ${first.oid}`] })),
  ];
}

/** Whether children of the table may leave the column empty. They would get the rule with the column. */
function isOnlyHere({ notNull }: Column): boolean {
  return notNull?.isNoInherit === true;
}

/** The columns that a table may not leave empty although its parents or its children may. */
function ownNotNullSql({ name }: Relation, columns: readonly Column[]): string[] {
  return columns
    .filter(
      column =>
        column.isNotNull &&
        (!column.isLocal || isOnlyHere(column)) &&
        (column.notNull === null || (column.notNull.isLocal && column.notNull.isValid)),
    )
    .map(column =>
      column.notNull === null
        ? `alter table only ${name} alter column ${column.name} set not null`
        : `alter table ${name} add constraint ${column.notNull.name} not null ${column.name}${column.notNull.isNoInherit ? ' no inherit' : ''}`,
    );
}

function isInOrder(
  member: Relation,
  { byOid, columnsOf }: { readonly byOid: ReadonlyMap<string, Relation>; readonly columnsOf: ColumnsOf },
): boolean {
  const names = columnsOf(member.oid).map(({ name }) => name);
  const inherited = parentsOf(member).flatMap(({ oid }) => (byOid.has(oid) ? columnsOf(oid).map(({ name }) => name) : []));

  return [...new Set([...inherited, ...names])].every((name, index) => names[index] === name);
}

/** Which column of which table comes next: each table's own in its order, and a child's own before the parent's that it is merged with. */
function inOrderOfAll(members: readonly Relation[], columnsOf: ColumnsOf): { readonly table: Relation; readonly column: Column }[] {
  const steps = members.flatMap(table => columnsOf(table.oid).map(column => ({ table, column })));
  const stepsOf = (oid: string, name: string): typeof steps => {
    const step = steps.find(({ table, column }) => table.oid === oid && column.name === name);

    return step === undefined ? [] : step.column.isLocal ? [step] : parentsOf(step.table).flatMap(parent => stepsOf(parent.oid, name));
  };
  const before = new Map<(typeof steps)[number], (typeof steps)[number][]>();
  const need = (step: (typeof steps)[number], earlier: readonly (typeof steps)[number][]): void => {
    before.set(step, [...(before.get(step) ?? []), ...earlier.filter(each => each !== step)]);
  };

  for (const { oid, parents } of members) {
    columnsOf(oid).forEach(({ name }, index, all) => {
      const former = all[index - 1];
      stepsOf(oid, name).forEach(step => need(step, former === undefined ? [] : stepsOf(oid, former.name)));
      (parents ?? []).forEach(parent => {
        const own = steps.filter(({ table, column }) => table.oid === oid && column.name === name && column.isLocal);
        stepsOf(parent.oid, name).forEach(step => need(step, own));
      });
    });
  }

  const done = new Set<(typeof steps)[number]>();
  const visit = (step: (typeof steps)[number], path: ReadonlySet<unknown>): void => {
    if (!done.has(step) && !path.has(step)) {
      (before.get(step) ?? []).forEach(each => visit(each, new Set([...path, step])));
      done.add(step);
    }
  };
  steps.filter(({ column }) => column.isLocal).forEach(step => visit(step, new Set()));

  return [...done];
}

function parentsFirst(members: readonly Relation[]): Relation[] {
  const done = new Set<Relation>();
  const visit = (member: Relation): void => {
    parentsOf(member).forEach(({ oid }) => members.filter(each => each.oid === oid).forEach(visit));
    done.add(member);
  };
  members.forEach(visit);

  return [...done];
}

function parentsOf({ isPartition, parents }: Relation): NonNullable<Relation['parents']> {
  return isPartition ? [] : (parents ?? []);
}

type ColumnsOf = (relation: string) => readonly Column[];

interface FamilyParts {
  readonly columnsOf: ColumnsOf;
  readonly identitiesOf: (relation: Relation) => RelationParts['identities'];
  /** What each node needs, by the ids of nodes. */
  readonly depends: ReadonlyMap<string, readonly string[]>;
}
