import type { TenantDatabase } from '../../database/tenant-database.js';
import type { TenantWork } from './tenant-run.js';

/** What has become of a tenant. */
export type Move = { readonly kind: 'gone' } | { readonly kind: 'renamed'; readonly to: string };

/** The schema is not the one whose history was read, though it has its name. */
export class OtherSchemaError extends Error {}

/**
 * Why the schema of a tenant is not there any more under its name, though it was when its history was read. Undefined where the tenant still has
 * that name.
 */
export async function moveOf(database: TenantDatabase, { schemaName, schemaOid }: TenantWork): Promise<Move | undefined> {
  // a schema keeps its oid when it is renamed
  const [schema] = await database.execute<{ name: string }>(
    'select nspname as name from pg_namespace where oid::text = ?',
    [schemaOid ?? ''],
    undefined,
  );

  // first, as another tenant may have taken its name
  if (schema !== undefined && schema.name !== schemaName && (await isTenant(schema.name))) {
    return { kind: 'renamed', to: schema.name };
  }

  return (await isTenant(schemaName)) ? undefined : { kind: 'gone' };

  async function isTenant(name: string): Promise<boolean> {
    return (await database.tenants.findSchemaNames({ schemaName: name })).length > 0;
  }
}
