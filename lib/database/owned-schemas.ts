import type { Transaction } from '@mikro-orm/core';
import { SchemaProtectedError } from '../errors/index.js';
import { isDeletedName, quoteIdentifier } from '../postgres/schema-name.js';
import type { TenantDatabase } from './tenant-database.js';

/**
 * The comment on each schema that the library created. The library drops and renames only schemas with this comment. PostgreSQL keeps the
 * comment in a rename and in a dump. To let the library manage a schema that was created by hand, set this comment by hand.
 */
export const SCHEMA_COMMENT = 'tenant of @landlord/mikro-orm';

/** The schemas in the database that the library created. */
export async function findOwnedSchemas(database: Pick<TenantDatabase, 'execute'>, ctx?: Transaction): Promise<ReadonlySet<string>> {
  // `obj_description()` runs a statement for each schema
  const rows = await database.execute<{ name: string }>(
    `select n.nspname as name from pg_namespace n join pg_description d on d.objoid = n.oid and d.classoid = 'pg_namespace'::regclass and d.objsubid = 0
      where d.description = ?`,
    [SCHEMA_COMMENT],
    ctx,
  );

  return new Set(rows.map(row => row.name));
}

/**
 * Whether the schema exists.
 *
 * @throws SchemaProtectedError `SCHEMA_PROTECTED` if the library did not create it.
 */
export async function isOwned(
  database: Pick<TenantDatabase, 'execute' | 'publicSchema'>,
  schemaName: string,
  action: 'drop' | 'rename' | 'adopt' | 'delete' | 'clone' | 'export',
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
    throw isDeletedName(schemaName)
      ? new SchemaProtectedError(schemaName, action, 'its tenant is deleted, and can be restored', {
          remedy: 'Call `tenants().restore(…)`, or `tenants().purge(…)` to drop it for good.',
        })
      : notOwned(schemaName, action);
  }

  return row !== undefined;
}

/** Whether there is a schema of this name, whoever has created it. */
export async function hasSchema(database: Pick<TenantDatabase, 'execute'>, schemaName: string, ctx: Transaction): Promise<boolean> {
  return (await database.execute('select 1 from pg_namespace where nspname = ?', [schemaName], ctx)).length > 0;
}

/** The error for a schema that the library did not create. */
export function notOwned(
  schemaName: string,
  action: 'drop' | 'rename' | 'migrate' | 'adopt' | 'delete' | 'clone' | 'export',
): SchemaProtectedError {
  const mark = `comment on schema ${quoteIdentifier(schemaName)} is '${SCHEMA_COMMENT}'`;
  const otherwise = action === 'migrate' ? " Otherwise rename it, and create the tenant's schema with `tenants().provision(…)`." : '';

  return new SchemaProtectedError(schemaName, action, 'this library did not create it', {
    remedy: `If it is a tenant's schema that was created by hand, mark it first: \`${mark}\`.${otherwise}`,
  });
}

const PROTECTED = /^(public|pg_.*|information_schema)$/;
