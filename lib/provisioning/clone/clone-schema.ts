import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { CloneError } from '../../errors/index.js';
import { tenantMigrationsOptions } from '../../migrations/set/migration-set.js';
import { quoteIdentifier, roleOfTenant } from '../../postgres/schema-name.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import { differences } from './differences.js';
import { privilegesSql, readPrivileges, type Privileges } from './privileges.js';
import { readSchema, type SchemaText, type TableText } from './read-schema.js';
import { MakeSchema } from './make-schema.js';
import { repointed } from './repointed.js';

/** Which rows of the former tenant the new one gets: all, none, or those of the tables of these names. */
export type CloneData = 'all' | 'none' | readonly string[];

export interface CloneProgress {
  /** The table whose rows were copied. */
  readonly table: string;
  /** How many tables are done, of how many. */
  readonly done: number;
  readonly total: number;
}

export interface SchemaClone {
  readonly from: string;
  readonly to: string;
  readonly data: CloneData;
  /** Whether texts with the former name in them are taken over as they are. */
  readonly force: boolean;
  readonly ctx: Transaction;
  readonly onProgress?: ((progress: CloneProgress) => void) | undefined;
}

/**
 * Makes all that is in one schema in another one, which is there and is empty, with statements that are made from the catalogs. Then compares both.
 *
 * @throws CloneError `CLONE_REFUSED`, `CLONE_INCOMPLETE`, `CLONE_DIFFERS`
 */
export async function cloneSchema(database: TenantDatabase, clone: SchemaClone): Promise<void> {
  const { from, to, data, ctx } = clone;
  const oid = await oidOf(database, from, ctx);
  const text = await readSchema(database, { schemaName: from, oid }, ctx);
  const privileges = await readPrivileges(database, oid, ctx);
  const roles = rolesOf(database, { from, to });
  const statements = repointed(text, { names: { from, to }, roles });
  const refused = [...text.refused, ...(clone.force ? [] : statements.left)];

  if (refused.length > 0) {
    throw CloneError.refused(from, refused);
  }

  const chosen = tablesWith(database, text, data, from);
  const make = new MakeSchema(database, to, ctx);
  await make.begin();
  await make.run(statements.text.objects);

  for (const [index, table] of chosen.entries()) {
    await make.run([copySql(table, from)]);
    clone.onProgress?.({ table: table.rawName, done: index + 1, total: chosen.length });
  }

  const copied = new Set(chosen.map(table => table.oid));
  await make.run(
    text.sequences
      .filter(({ ownership, table }) => (ownership === null || isWhole(text, table) ? data !== 'none' : copied.has(table ?? '')))
      .map(({ name }) => `select setval('${name.replaceAll("'", "''")}', last_value, is_called) from ${quoteIdentifier(from)}.${name}`),
  );
  await make.run(statements.text.keys);
  await make.run(text.views);
  await addForeignKeys(make, statements.text.foreignKeys, { data, from });
  await make.run(statements.text.behaviour);
  await make.run(statements.text.comments);
  await givePrivileges(database, make, { wanted: privileges, ...clone, roles });
  const differing = await differences(database, { from, to, roles, ctx });
  await make.end();

  if (differing.length > 0 && !clone.force) {
    throw CloneError.differs(from, differing);
  }
}

/** The tables whose rows are copied. The history is always one of them. */
function tablesWith(database: TenantDatabase, { tables }: SchemaText, data: CloneData, from: string): readonly TableText[] {
  if (data === 'all') {
    return tables;
  }

  const names = data === 'none' ? [] : data;
  const unknown = names.filter(name => !tables.some(({ rawName }) => rawName === name));

  if (unknown.length > 0) {
    throw CloneError.unknownTables(from, unknown);
  }

  const history = tenantMigrationsOptions(database).tableName;

  return tables.filter(({ rawName }) => rawName === history || names.includes(rawName));
}

/** Whether the table has its rows in its parts. */
function isWhole({ tables }: SchemaText, oid: string | null): boolean {
  return !tables.some(table => table.oid === oid);
}

function copySql({ name, columns }: TableText, from: string): string {
  const names = columns.map(column => column.name).join(', ');
  // PostgreSQL has no cast between types of two schemas, but every type has a text
  const values = columns.map(column => (column.isOwnType ? `${column.name}::text::${column.type}` : column.name)).join(', ');

  return columns.length === 0
    ? `insert into ${name} select from only ${quoteIdentifier(from)}.${name}`
    : `insert into ${name} (${names}) overriding system value select ${values} from only ${quoteIdentifier(from)}.${name}`;
}

async function addForeignKeys(
  make: MakeSchema,
  statements: readonly string[],
  { data, from }: Pick<SchemaClone, 'data' | 'from'>,
): Promise<void> {
  try {
    await make.run(statements);
  } catch (error) {
    throw data !== 'all' && hasSqlState(error, FOREIGN_KEY_VIOLATION) ? CloneError.incomplete(from, error) : error;
  }
}

async function givePrivileges(
  database: TenantDatabase,
  make: MakeSchema,
  { wanted, to, roles, ctx }: Pick<SchemaClone, 'to' | 'ctx'> & { readonly wanted: Privileges; readonly roles: RoleNames | undefined },
): Promise<void> {
  const roleOf = (role: string): string => (role === roles?.from ? roles.to : role);
  const oid = await oidOf(database, to, ctx);
  const options = { schemaName: to, roleOf };
  const found = await readPrivileges(database, oid, ctx);
  const { owners, grants } = privilegesSql(wanted, found, options);
  await make.run(owners);
  // those of an object follow its owner
  await make.run(owners.length === 0 ? grants : privilegesSql(wanted, await readPrivileges(database, oid, ctx), options).grants);
}

/** @throws CloneError `CLONE_REFUSED` */
export async function oidOf(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<string> {
  const [row] = await database.execute<{ oid: string }>('select oid::text as oid from pg_namespace where nspname = ?', [schemaName], ctx);

  if (row === undefined) {
    throw CloneError.noSchema(schemaName);
  }

  return row.oid;
}

function rolesOf(
  { options: { roles } }: TenantDatabase,
  { from, to }: { readonly from: string; readonly to: string },
): RoleNames | undefined {
  return roles === undefined ? undefined : { from: roleOfTenant(roles, from), to: roleOfTenant(roles, to) };
}

interface RoleNames {
  readonly from: string;
  readonly to: string;
}

const FOREIGN_KEY_VIOLATION = ['23503'] as const;
