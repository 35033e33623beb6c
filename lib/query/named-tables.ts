import type { EntityMetadata } from '@mikro-orm/core';
import type { GuardContext } from '../scope/guard-context.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';

/**
 * The entity of a table that a query names by its text, as in `em.qb('acme.book')`. MikroORM knows nothing of such a table, and writes its name as it
 * is. Undefined if no entity has the table.
 *
 * @throws TenantContextRequiredError or CrossTenantError if it is the table of a tenant that the query may not use.
 */
export function entityOfTable(name: string, own: string | undefined, { rules, scope }: GuardContext): EntityMetadata | undefined {
  const [, schema, table] = NAME.exec(name) ?? [];
  const metas = [...rules.metadata.getAll().values()].filter(meta => meta.schema !== undefined && meta.tableName === table);
  const shared = metas.find(meta => !isTenantEntity(meta) && (schema === undefined || meta.schema === schema));
  const tenant = metas.find(isTenantEntity);

  // of two entities with one table name, a bare name is the tenant's where there is a tenant
  if (tenant === undefined || (shared !== undefined && (schema !== undefined || own === undefined))) {
    return shared;
  }

  tenantSchema(tenant.className, schema ?? own, scope, rules);

  return tenant;
}

// as MikroORM quotes it: the schema ends at the first dot, and an alias may follow
const NAME = /^\s*(?:([^.]*)\.)?(.*?)(?:\s+as\s.*)?\s*$/is;
