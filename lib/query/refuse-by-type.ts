import type { EntityMetadata } from '@mikro-orm/core';
import { QueryType } from '@mikro-orm/postgresql';
import { leadsToTenants, refuseSchemaOfShared } from '../entities/schema-of-shared.js';
import { tenantEntitiesReferringTo } from '../entities/shared-relations.js';
import { SharedTableInUseError } from '../errors/index.js';
import type { GuardContext } from '../scope/guard-context.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';

/**
 * Refuses to truncate a shared table that tenants' tables refer to. MikroORM's `truncate` ends in `cascade`, which PostgreSQL carries out in every
 * tenant.
 *
 * @throws SharedTableInUseError
 */
export function refuseTruncation(type: QueryType, meta: EntityMetadata, { rules }: GuardContext): void {
  if (type !== QueryType.TRUNCATE || isTenantEntity(meta)) {
    return;
  }

  const referring = tenantEntitiesReferringTo(meta, rules.metadata);

  if (referring.length > 0) {
    throw new SharedTableInUseError(meta.className, [...new Set(referring.map(({ className }) => className))]);
  }
}

/**
 * Refuses a query that names another schema for a shared entity than its own. Queries of the driver name no schema that MikroORM has not taken
 * from the entity.
 *
 * @throws SharedSchemaError `SHARED_SCHEMA` or CrossTenantError `CROSS_TENANT`
 */
export function refuseNamedSchema(query: NamingQuery): void {
  const { em, guard } = query;

  // to MikroORM's query builder, all else that is read of it is a question
  if (em === undefined) {
    return;
  }

  const { schema } = query.state;
  const { meta } = query.mainAlias;

  if (schema !== undefined && !isTenantEntity(meta.root)) {
    const mayNameTenant = (query.type === QueryType.SELECT || query.type === QueryType.COUNT) && leadsToTenants(meta);
    refuseSchemaOfShared(meta, { ...guard, schema, own: em.schema, mayNameTenant });
  }
}

interface NamingQuery {
  readonly em: { readonly schema: string | undefined } | undefined;
  readonly guard: GuardContext;
  readonly mainAlias: { readonly meta: EntityMetadata };
  readonly state: { readonly schema?: string };
  readonly type: QueryType;
}
