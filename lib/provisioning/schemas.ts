import type { Transaction } from '@mikro-orm/core';
import { InvalidSchemaNameError, SchemaExistsError, SchemaProtectedError } from '../errors/index.js';
import { lockTenant } from '../database/tenant-lock.js';
import { quoteIdentifier, roleOfTenant, type SchemaName } from '../postgres/schema-name.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { Tenancy } from '../tenancy.js';
import { dropRole, renameRole } from './roles.js';

/**
 * The comment on each schema that the library created. The library drops and renames only schemas with this comment. PostgreSQL keeps the
 * comment in a rename and in a dump. To let the library manage a schema that was created by hand, set this comment by hand.
 */
export const SCHEMA_COMMENT = 'tenant of @landlord/mikro-orm';

/** The statements that create a tenant's schema. Without `if not exists`, so that they fail with `DUPLICATE_SCHEMA` if the schema already exists. */
export function createSchemaSql(tenancy: Tenancy, schemaName: string): string[] {
  const quoted = quoteIdentifier(tenancy.checkSchemaName(schemaName));

  return [`create schema ${quoted}`, `comment on schema ${quoted} is '${SCHEMA_COMMENT}'`];
}

/** Drops a tenant's schema with all data. A missing schema is not an error. */
export async function dropSchema(tenancy: Tenancy, schemaName: string, ctx: Transaction): Promise<void> {
  // waits for a run that is migrating the tenant. A later run sees the result
  await lockTenant(tenancy, schemaName, ctx);

  if (await isOwned(tenancy, schemaName, 'drop', ctx)) {
    await tenancy.execute(`drop schema ${quoteIdentifier(schemaName)} cascade`, [], ctx);
    await dropRole(tenancy, schemaName, ctx);
  }
}

/**
 * Renames a tenant's schema. A missing schema, as with `autoCreateSchema: false`, is not an error.
 *
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 * @throws InvalidSchemaNameError `SCHEMA_NAME_RESERVED` if the new name is that of the database role or is on its `search_path`.
 */
export async function renameSchema(tenancy: Tenancy, from: string, to: string, ctx: Transaction): Promise<void> {
  await lockTenant(tenancy, from, ctx);

  if (!(await isOwned(tenancy, from, 'rename', ctx))) {
    return;
  }

  const quoted = quoteIdentifier(await checkNewName(tenancy, to, ctx));

  try {
    await tenancy.execute(`alter schema ${quoteIdentifier(from)} rename to ${quoted}`, [], ctx);
  } catch (error) {
    throw hasSqlState(error, DUPLICATE_SCHEMA) ? new SchemaExistsError(to, { cause: error }) : error;
  }

  await renameRole(tenancy, from, to, ctx);
}

/** The schemas in the database that the library created. */
export async function findOwnedSchemas(tenancy: Tenancy, ctx?: Transaction): Promise<ReadonlySet<string>> {
  const rows = await tenancy.execute<{ name: string }>(
    `select nspname as name from pg_namespace where obj_description(oid, 'pg_namespace') = ?`,
    [SCHEMA_COMMENT],
    ctx,
  );

  return new Set(rows.map(row => row.name));
}

/**
 * Checks the name of a schema before it is created or renamed. Also refuses names on the `search_path` of the connections. Otherwise
 * unqualified SQL outside of tenants would find the tables of this tenant. The name of the database role is one of them, because the default
 * path begins with "$user".
 *
 * @throws InvalidSchemaNameError
 */
export async function checkNewName(tenancy: Tenancy, schemaName: string, ctx: Transaction): Promise<SchemaName> {
  const checked = tenancy.checkSchemaName(schemaName);

  const { role, path } = await tenancy.session(ctx);

  if (role === schemaName) {
    throw new InvalidSchemaNameError(schemaName, 'it is the name of the database role', 'SCHEMA_NAME_RESERVED');
  }

  if (path.includes(schemaName)) {
    throw new InvalidSchemaNameError(schemaName, 'it is on the `search_path` of the database role', 'SCHEMA_NAME_RESERVED');
  }

  if (tenancy.options.roles !== undefined) {
    roleOfTenant(tenancy.options.roles, schemaName);
  }

  return checked;
}

/**
 * Whether the schema exists.
 *
 * @throws SchemaProtectedError `SCHEMA_PROTECTED` if the library did not create it.
 */
async function isOwned(tenancy: Tenancy, schemaName: string, action: 'drop' | 'rename', ctx: Transaction): Promise<boolean> {
  if (PROTECTED.test(schemaName) || schemaName === tenancy.publicSchema) {
    throw new SchemaProtectedError(schemaName, action, 'it belongs to the whole database, not to a tenant');
  }

  const [row] = await tenancy.execute<{ comment: string | null }>(
    `select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = ?`,
    [schemaName],
    ctx,
  );

  if (row !== undefined && row.comment !== SCHEMA_COMMENT) {
    throw notOwned(schemaName, action);
  }

  return row !== undefined;
}

/** The error for a schema that the library did not create. */
export function notOwned(schemaName: string, action: 'drop' | 'rename' | 'migrate'): SchemaProtectedError {
  const mark = `comment on schema ${quoteIdentifier(schemaName)} is '${SCHEMA_COMMENT}'`;
  const otherwise = action === 'migrate' ? " Otherwise rename it, and create the tenant's schema with `tenants().provision(…)`." : '';

  return new SchemaProtectedError(schemaName, action, 'this library did not create it', {
    remedy: `If it is a tenant's schema that was created by hand, mark it first: \`${mark}\`.${otherwise}`,
  });
}

const PROTECTED = /^(public|pg_.*|information_schema)$/;

/** SQLSTATEs of a schema that already exists. PostgreSQL raises the second one if two transactions create the same name concurrently. */
export const DUPLICATE_SCHEMA = ['42P06', '23505'] as const;
