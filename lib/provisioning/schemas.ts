import type { Transaction } from '@mikro-orm/core';
import { isOwned, SCHEMA_COMMENT } from '../database/owned-schemas.js';
import { InvalidSchemaNameError, SchemaExistsError } from '../errors/index.js';
import { lockTenant } from '../database/tenant-lock.js';
import { quoteIdentifier, roleOfTenant, type SchemaName } from '../postgres/schema-name.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { dropRole, renameRole } from './roles.js';

/** The statements that create a tenant's schema. Without `if not exists`, so that they fail with `DUPLICATE_SCHEMA` if the schema already exists. */
export function createSchemaSql(database: TenantDatabase, schemaName: string): string[] {
  const quoted = quoteIdentifier(database.rules.checkSchemaName(schemaName));

  return [`create schema ${quoted}`, `comment on schema ${quoted} is '${SCHEMA_COMMENT}'`];
}

/** Drops a tenant's schema with all data. A missing schema is not an error. */
export async function dropSchema(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  // waits for a run that is migrating the tenant. A later run sees the result
  await lockTenant(database, schemaName, ctx);

  if (await isOwned(database, schemaName, 'drop', ctx)) {
    await database.execute(`drop schema ${quoteIdentifier(schemaName)} cascade`, [], ctx);
    await dropRole(database, schemaName, ctx);
  }
}

/**
 * Renames a tenant's schema. A missing schema, as with `autoCreateSchema: false`, is not an error.
 *
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 * @throws InvalidSchemaNameError `SCHEMA_NAME_RESERVED` if the new name is that of the database role or is on its `search_path`.
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

/**
 * Checks the name of a schema before it is created or renamed. Also refuses names on the `search_path` of the connections. Otherwise
 * unqualified SQL outside of tenants would find the tables of this tenant. The name of the database role is one of them, because the default
 * path begins with "$user".
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

/** SQLSTATEs of a schema that already exists. PostgreSQL raises the second one if two transactions create the same name concurrently. */
export const DUPLICATE_SCHEMA = ['42P06', '23505'] as const;
