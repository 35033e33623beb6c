import type { TenantDatabase } from '../../database/tenant-database.js';
import type { TenantWork } from './tenant-run.js';

/** What has become of a tenant. */
export type Move = { readonly kind: 'gone' } | { readonly kind: 'renamed'; readonly to: string };

/**
 * Why the schema of a tenant is not there any more, though it was when its history was read. Undefined where the tenant still has that name: then
 * only the schema is missing.
 */
export async function moveOf(database: TenantDatabase, { schemaName, schemaOid }: TenantWork): Promise<Move | undefined> {
  if (await isTenant(schemaName)) {
    return undefined;
  }

  // a schema keeps its oid when it is renamed
  const [schema] = await database.execute<{ name: string }>(
    'select nspname as name from pg_namespace where oid::text = ?',
    [schemaOid ?? ''],
    undefined,
  );

  return schema !== undefined && (await isTenant(schema.name)) ? { kind: 'renamed', to: schema.name } : { kind: 'gone' };

  async function isTenant(name: string): Promise<boolean> {
    return (await database.tenants.findSchemaNames({ schemaName: name })).length > 0;
  }
}
