import type { EntityManager, EntityMetadata, EntityName } from '@mikro-orm/core';
import { refuseForeignEntities } from '../entities/foreign-entities.js';
import { isName } from '../tenant/entity-kinds.js';
import { TenantRules } from '../scope/tenant-rules.js';

/**
 * Refuses arguments of an EntityManager's method that contain an entity of another tenant. `schema` is the schema in the options of the call.
 * `entity` is the entity that the arguments describe. It is only for the message.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseForeignArguments(
  em: GuardedEntityManager,
  given: readonly unknown[],
  schema: string | undefined,
  entity?: EntityName | object,
): void {
  const rules = TenantRules.of(em.config);
  const meta = entity === undefined ? undefined : metaOf(em, entity);
  refuseForeignEntities(given, schema ?? em.getContext(false).schema, { rules, scope: rules.scope, entity: meta?.className });
}

/** The metadata of an entity or an entity name. */
export function metaOf(em: GuardedEntityManager, entity: EntityName | object): EntityMetadata | undefined {
  return em.getMetadata().find(isName(entity) ? entity : entity.constructor);
}

/** The parts of an EntityManager that are used here. */
export interface GuardedEntityManager extends Pick<EntityManager, 'config'> {
  getContext(validate: false): { readonly schema: string | undefined };
  getMetadata(): { find(entityName: EntityName): EntityMetadata | undefined };
}
