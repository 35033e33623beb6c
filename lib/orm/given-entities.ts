import type { EntityManager, EntityMetadata, EntityName } from '@mikro-orm/core';
import { refuseForeign } from '../entities/foreign-entities.js';
import { isName } from '../tenant/entity-kinds.js';
import { TenantRules } from '../scope/tenant-rules.js';

/**
 * Refuses arguments of an EntityManager's method that hold an entity of another tenant. `schema` is the schema that the call names.
 * `entity` says whose data or condition the arguments are; the message uses it.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseGiven(
  em: GuardedEntityManager,
  given: readonly unknown[],
  schema: string | undefined,
  entity?: EntityName | object,
): void {
  const rules = TenantRules.of(em.config);
  const meta = entity === undefined ? undefined : metaOf(em, entity);
  refuseForeign(given, schema ?? em.getContext(false).schema, { rules, scope: rules.scope, entity: meta?.className });
}

/** The metadata of an entity, given itself or by its name. */
export function metaOf(em: GuardedEntityManager, entity: EntityName | object): EntityMetadata | undefined {
  return em.getMetadata().find(isName(entity) ? entity : entity.constructor);
}

/** The parts of an EntityManager that are used here. */
export interface GuardedEntityManager extends Pick<EntityManager, 'config'> {
  getContext(validate: false): { readonly schema: string | undefined };
  getMetadata(): { find(entityName: EntityName): EntityMetadata | undefined };
}
