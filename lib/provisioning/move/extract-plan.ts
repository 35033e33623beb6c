import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { tenantMigrationsOptions } from '../../migrations/set/migration-set.js';
import { quoteIdentifier, quoteTable } from '../../postgres/schema-name.js';
import { quoteLiteral } from '../../postgres/quote-literal.js';
import { jsonRows } from '../clone/rows.js';

export interface ExtractSelection {
  /** The column of the public tables that says whose a row is. Undefined if all rows are the tenant's. */
  readonly column: string | undefined;
  /** The value that it has in this tenant's rows. */
  readonly value: string | undefined;
  /** Tables whose rows are nobody's own. Each tenant gets a copy of all of them. */
  readonly whole: readonly string[];
  /** Columns of the public tables that the tenants' tables do not have, as `table.column` or `column`. */
  readonly without: readonly string[];
}

/** A table of the public schema whose rows become a tenant's. */
export interface ExtractTable {
  readonly name: string;
  /** Both tables' names as SQL. */
  readonly from: string;
  readonly to: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly isSameType: boolean }[];
  /** Which rows are the tenant's, as a condition on `t`. */
  readonly condition: string;
  readonly isWhole: boolean;
}

export interface ExtractPlan {
  /** Each after those that it refers to. */
  readonly tables: readonly ExtractTable[];
  /** Foreign keys among the tables. */
  readonly keys: readonly ForeignKey[];
  /** Why the rows cannot be moved, as far as the tables tell. */
  readonly refused: readonly string[];
}

export interface ForeignKey {
  readonly name: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly target: string;
  readonly targetColumns: readonly string[];
}

/** Finds the tables that both schemas have, and the way from each to the customer: its own column, or the foreign keys to a table that has it. */
export async function planExtract(
  database: TenantDatabase,
  { schemaName, selection }: { readonly schemaName: string; readonly selection: ExtractSelection },
  ctx: Transaction,
): Promise<ExtractPlan> {
  const { publicSchema } = database;
  const columns = await jsonRows<ColumnRow>(database, COLUMNS(publicSchema, schemaName, tenantMigrationsOptions(database).tableName), ctx);
  const names = [...new Set(columns.map(({ table }) => table))];
  const keys = (await jsonRows<ForeignKey>(database, KEYS(publicSchema), ctx)).filter(
    ({ table, target }) => names.includes(table) && names.includes(target),
  );
  const conditions = conditionsOf(names, { columns, keys, selection, publicSchema });
  const without = names.filter(name => !conditions.has(name));

  return {
    keys,
    refused: [
      ...without.map(
        name =>
          `table ${name} has no column ${selection.column} and no foreign key to a table that has it; name it in \`whole\` if every tenant gets its rows`,
      ),
      ...selection.whole.filter(name => !names.includes(name)).map(name => `\`whole\` names ${name}, which is not a table of both schemas`),
      ...columns.flatMap(column => problemOf(column, selection)),
    ],
    tables: sorted(
      names.filter(name => conditions.has(name)),
      keys,
    ).map(name => ({
      name,
      from: quoteTable(publicSchema, name),
      to: quoteTable(schemaName, name),
      columns: columns.filter(({ table, inPublic, inTenant, isGenerated }) => table === name && inPublic && inTenant && !isGenerated),
      condition: conditions.get(name) ?? 'false',
      isWhole: selection.whole.includes(name),
    })),
  };
}

function problemOf({ table, name, inPublic, inTenant, isRequired }: ColumnRow, { column, without }: ExtractSelection): string[] {
  if (inPublic && !inTenant && name !== column && !without.includes(name) && !without.includes(`${table}.${name}`)) {
    return [`column ${table}.${name} is not in the tenant's table; name it in \`without\` if it is not wanted any more`];
  }

  return inTenant && !inPublic && isRequired
    ? [`column ${table}.${name} of the tenant's table needs a value, and the public table does not have it`]
    : [];
}

function conditionsOf(
  names: readonly string[],
  {
    columns,
    keys,
    selection,
    publicSchema,
  }: {
    readonly columns: readonly ColumnRow[];
    readonly keys: readonly ForeignKey[];
    readonly selection: ExtractSelection;
    readonly publicSchema: string;
  },
): ReadonlyMap<string, string> {
  const { column, value, whole } = selection;
  const conditions = new Map<string, string>();

  for (const name of names) {
    if (column === undefined || whole.includes(name)) {
      conditions.set(name, 'true');
    } else if (columns.some(each => each.table === name && each.name === column && each.inPublic)) {
      conditions.set(name, `t.${quoteIdentifier(column)}::text = ${quoteLiteral(value ?? '')}`);
    }
  }

  // the nearest way first, and the keys whose columns are never empty before the others
  const nullable = new Set(columns.filter(({ isNullable }) => isNullable).map(({ table, name }) => `${table}.${name}`));
  const ways = keys.toSorted((a, b) => nullableIn(a, nullable) - nullableIn(b, nullable));

  for (let isNew = true; isNew;) {
    isNew = false;

    for (const { table, target, columns: from, targetColumns } of ways) {
      const condition = whole.includes(target) || table === target ? undefined : conditions.get(target);

      if (condition !== undefined && !conditions.has(table)) {
        const equal = from
          .map((name, index) => `w.${quoteIdentifier(targetColumns[index] ?? '')} = t.${quoteIdentifier(name)}`)
          .join(' and ');
        const of = `select from ${quoteTable(publicSchema, target)} w where ${equal}`;
        conditions.set(table, `exists (${of} and exists (select from (select w.*) t where ${condition}))`);
        isNew = true;
      }
    }
  }

  return conditions;
}

function nullableIn({ table, columns }: ForeignKey, nullable: ReadonlySet<string>): number {
  return columns.filter(name => nullable.has(`${table}.${name}`)).length;
}

/** Each table after those that it refers to, where there is such an order. */
function sorted(names: readonly string[], keys: readonly ForeignKey[]): string[] {
  const done: string[] = [];
  const visit = (name: string, path: readonly string[]): void => {
    if (!done.includes(name) && !path.includes(name) && names.includes(name)) {
      keys.filter(({ table }) => table === name).forEach(({ target }) => visit(target, [...path, name]));
      done.push(name);
    }
  };
  names.forEach(name => visit(name, []));

  return [...new Set(done)];
}

const COLUMNS = (publicSchema: string, schemaName: string, history: string): string => `
  select coalesce(p.table, o.table) as table, coalesce(p.name, o.name) as name, p.name is not null as "inPublic", o.name is not null as "inTenant",
    o.type, coalesce(p.type = o.type, false) as "isSameType", coalesce(o.required, false) as "isRequired", coalesce(o.generated, false) as "isGenerated",
    coalesce(p.nullable, true) as "isNullable"
  from (${columnsOf(schemaName)}) o full join (${columnsOf(publicSchema)} and c.relname in (select r.relname from pg_class r
    where r.relnamespace = ${namespace(schemaName)} and r.relkind in ('r', 'p'))) p on p.table = o.table and p.name = o.name
  where coalesce(p.table, o.table) <> ${quoteLiteral(history)} and coalesce(p.table, o.table) in (select r.relname from pg_class r
    where r.relnamespace = ${namespace(publicSchema)} and r.relkind in ('r', 'p'))
  order by coalesce(o.number, p.number)`;

const namespace = (schemaName: string): string => `(select n.oid from pg_namespace n where n.nspname = ${quoteLiteral(schemaName)})`;

// a type is compared by its number: those of two schemas may have one name
const columnsOf = (schemaName: string): string => `
  select c.relname as table, a.attname as name, a.attnum as number, a.atttypid as type_id,
    (select quote_ident(n.nspname) || '.' || quote_ident(t.typname) from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.oid = a.atttypid) as type,
    a.attnotnull and not a.atthasdef and a.attidentity = '' as required, a.attgenerated <> '' as generated, not a.attnotnull as nullable
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = ${namespace(schemaName)} and c.relkind in ('r', 'p') and not c.relispartition`;

const KEYS = (publicSchema: string): string => `
  select k.conname as name, r.relname as table, w.relname as target,
    (select json_agg(a.attname order by i.nr) from unnest(k.conkey) with ordinality i (number, nr) join pg_attribute a on a.attrelid = r.oid and a.attnum = i.number) as columns,
    (select json_agg(a.attname order by i.nr) from unnest(k.confkey) with ordinality i (number, nr) join pg_attribute a on a.attrelid = w.oid and a.attnum = i.number) as "targetColumns"
  from pg_constraint k join pg_class r on r.oid = k.conrelid join pg_class w on w.oid = k.confrelid
  where k.contype = 'f' and k.conparentid = 0 and r.relnamespace = ${namespace(publicSchema)} and w.relnamespace = ${namespace(publicSchema)} order by k.oid`;

interface ColumnRow {
  readonly table: string;
  readonly name: string;
  readonly inPublic: boolean;
  readonly inTenant: boolean;
  /** The type in the tenant's table, with its schema. */
  readonly type: string;
  readonly isSameType: boolean;
  readonly isRequired: boolean;
  readonly isGenerated: boolean;
  readonly isNullable: boolean;
}
