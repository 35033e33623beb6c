import type { Transaction } from '@mikro-orm/core';
import { InvalidSchemaNameError, SchemaExistsError, SchemaProtectedError } from '../errors/index.js';
import { lockTenant } from '../database/tenant-lock.js';
import { quoteIdentifier, roleOfTenant, type SchemaName } from '../postgres/schema-name.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { dropRole, renameRole } from './roles.js';

/**
 * The comment on a schema that the library made: only such a one is ever dropped or renamed. It goes along with a rename and
 * with a dump. To have the library look after a schema that was made by hand, set it by hand.
 */
export const SCHEMA_COMMENT = 'tenant of @landlord/mikro-orm';

/** What creates a tenant's schema. Without `if not exists`: a schema that is there is somebody's, and the statement fails with `DUPLICATE_SCHEMA`. */
export function createSchemaSql(database: TenantDatabase, schemaName: string): string[] {
  const quoted = quoteIdentifier(database.rules.checkSchemaName(schemaName));

  return [`create schema ${quoted}`, `comment on schema ${quoted} is '${SCHEMA_COMMENT}'`];
}

/** Drops a tenant's schema with all that is in it. One that is not there is taken as dropped. */
export async function dropSchema(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  // a run that is in the tenant finishes with it, and one that comes finds it as it is then
  await lockTenant(database, schemaName, ctx);

  if (await isOwned(database, schemaName, 'drop', ctx)) {
    await database.execute(`drop schema ${quoteIdentifier(schemaName)} cascade`, [], ctx);
    await dropRole(database, schemaName, ctx);
  }
}

/**
 * Renames a tenant's schema. One that is not there, as with `autoCreateSchema: false`, has nothing to rename.
 *
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 * @throws InvalidSchemaNameError `SCHEMA_NAME_RESERVED` for the name of the database role.
 */
export async function renameSchema(database: TenantDatabase, from: string, to: string, ctx: Transaction): Promise<void> {
  await lockTenant(database, from, ctx);

  if (!(await isOwned(database, from, 'rename', ctx))) {
    return;
  }

  const quoted = quoteIdentifier(await checkNewName(database, to, ctx));

  try {
    await database.execute(`alter schema ${quoteIdentifier(from)} rename to ${quoted}`, [], ctx);
  } catch (error) {
    throw hasSqlState(error, DUPLICATE_SCHEMA) ? new SchemaExistsError(to, { cause: error }) : error;
  }

  await renameRole(database, from, to, ctx);
}

/** The schemas in the database that the library made. */
export async function findOwnedSchemas(database: TenantDatabase, ctx?: Transaction): Promise<ReadonlySet<string>> {
  const rows = await database.execute<{ name: string }>(
    `select nspname as name from pg_namespace where obj_description(oid, 'pg_namespace') = ?`,
    [SCHEMA_COMMENT],
    ctx,
  );

  return new Set(rows.map(row => row.name));
}

/**
 * Checks a name that a schema is about to get. What the connections have on their path is refused too, so that outside of tenants nothing
 * finds a tenant's tables: the schemas that it names, and the database role, as the default path begins with "$user".
 *
 * @throws InvalidSchemaNameError
 */
export async function checkNewName(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<SchemaName> {
  const checked = database.rules.checkSchemaName(schemaName);

  const { role, path } = await database.engine.session(ctx);

  if (role === schemaName) {
    throw new InvalidSchemaNameError(schemaName, 'it is the name of the database role', 'SCHEMA_NAME_RESERVED');
  }

  if (path.includes(schemaName)) {
    throw new InvalidSchemaNameError(schemaName, 'it is on the `search_path` of the database role', 'SCHEMA_NAME_RESERVED');
  }

  if (database.options.roles !== undefined) {
    roleOfTenant(database.options.roles, schemaName);
  }

  return checked;
}

/**
 * Whether the schema is there to be changed.
 *
 * @throws SchemaProtectedError `SCHEMA_PROTECTED` for one that the library did not make.
 */
async function isOwned(database: TenantDatabase, schemaName: string, action: 'drop' | 'rename', ctx: Transaction): Promise<boolean> {
  if (PROTECTED.test(schemaName) || schemaName === database.publicSchema) {
    throw new SchemaProtectedError(schemaName, action, 'it belongs to the whole database, not to a tenant');
  }

  const [row] = await database.execute<{ comment: string | null }>(
    `select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = ?`,
    [schemaName],
    ctx,
  );

  if (row !== undefined && row.comment !== SCHEMA_COMMENT) {
    throw notOwned(schemaName, action);
  }

  return row !== undefined;
}

/** What is said where a schema was not made by the library. */
export function notOwned(schemaName: string, action: 'drop' | 'rename' | 'migrate'): SchemaProtectedError {
  const mark = `comment on schema ${quoteIdentifier(schemaName)} is '${SCHEMA_COMMENT}'`;
  const otherwise =
    action === 'migrate' ? "; if it is somebody else's, rename it and create the tenant's with `tenants().provision(…)`" : '';

  return new SchemaProtectedError(
    schemaName,
    action,
    `this library did not make it (if a tenant's was made by hand, mark it first: ${mark}${otherwise})`,
  );
}

const PROTECTED = /^(public|pg_.*|information_schema)$/;

/** SQLSTATEs of a schema that exists already; the second is what PostgreSQL says to the later of two transactions that take one name at once. */
export const DUPLICATE_SCHEMA = ['42P06', '23505'] as const;
