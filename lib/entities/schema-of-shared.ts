import type { EntityMetadata } from '@mikro-orm/core';
import { CrossTenantError, SharedSchemaError } from '../errors/index.js';
import type { GuardContext } from '../scope/guard-context.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';

/**
 * Refuses a call or an entity that names another schema for a shared entity than the one that its table is in. MikroORM would use that one all
 * the same. The schema of the EntityManager says nothing about shared entities.
 *
 * @throws SharedSchemaError `SHARED_SCHEMA` or CrossTenantError `CROSS_TENANT`
 */
export function refuseSchemaOfShared(meta: EntityMetadata, { schema, own, mayNameTenant, rules, scope }: NamedSchema): void {
  if (schema === undefined || schema === own || isTenantEntity(meta.root)) {
    return;
  }

  // that of an entity is of the ORM that was opened last, and another one may have the same classes
  const home = rules.metadata.find(meta.root.class)?.schema;

  if (schema === home || home === undefined) {
    return;
  }

  if (scope?.kind === 'tenant' && schema === scope.schemaName) {
    return;
  }

  if (scope?.kind === 'tenant' && !rules.sharedSchemas.has(schema)) {
    throw CrossTenantError.otherSchema(meta.className, schema, scope.schemaName);
  }

  if (!mayNameTenant || rules.sharedSchemas.has(schema)) {
    throw new SharedSchemaError(meta.className, home, schema);
  }
}

/** Whether relations of the entity lead to tenants' rows. */
export function leadsToTenants(meta: EntityMetadata, seen = new Set<EntityMetadata>()): boolean {
  if (isTenantEntity(meta.root)) {
    return true;
  }

  if (seen.has(meta)) {
    return false;
  }

  seen.add(meta);

  return meta.relations.some(({ targetMeta }) => targetMeta !== undefined && leadsToTenants(targetMeta, seen));
}

interface NamedSchema extends GuardContext {
  /** The schema that is named. */
  readonly schema: string | undefined;
  /** The schema of the EntityManager. */
  readonly own: string | undefined;
  /** Whether it may be the schema of a tenant, to which relations lead. */
  readonly mayNameTenant: boolean;
}
