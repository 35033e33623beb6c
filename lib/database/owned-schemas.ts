import type { Transaction } from '@mikro-orm/core';
import { SchemaProtectedError } from '../errors/index.js';
import { quoteIdentifier } from '../postgres/schema-name.js';
import type { TenantDatabase } from './tenant-database.js';

/**
 * The comment on a schema that the library made: only such a one is ever dropped or renamed. It goes along with a rename and
 * with a dump. To have the library look after a schema that was made by hand, set it by hand.
 */
export const SCHEMA_COMMENT = 'tenant of @landlord/mikro-orm';

/** The schemas in the database that the library made. */
export async function findOwnedSchemas(database: Pick<TenantDatabase, 'execute'>, ctx?: Transaction): Promise<ReadonlySet<string>> {
  const rows = await database.execute<{ name: string }>(
    `select nspname as name from pg_namespace where obj_description(oid, 'pg_namespace') = ?`,
    [SCHEMA_COMMENT],
    ctx,
  );

  return new Set(rows.map(row => row.name));
}

/**
 * Whether the schema is there to be changed.
 *
 * @throws SchemaProtectedError `SCHEMA_PROTECTED` for one that the library did not make.
 */
export async function isOwned(
  database: Pick<TenantDatabase, 'execute' | 'publicSchema'>,
  schemaName: string,
  action: 'drop' | 'rename',
  ctx: Transaction,
): Promise<boolean> {
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
