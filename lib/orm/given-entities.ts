import type { EntityManager, EntityMetadata, EntityName } from '@mikro-orm/core';
import { refuseForeign } from '../entities/foreign-entities.js';
import { isName } from '../tenant/entity-kinds.js';
import { Tenancy } from '../tenancy.js';

/**
 * Refuses what an EntityManager was given where it holds an entity of another tenant. `schema` is the one that the call names, and
 * `entity` is whose data or condition it is, for the message.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseGiven(
  em: GuardedEntityManager,
  given: readonly unknown[],
  schema: string | undefined,
  entity?: EntityName | object,
): void {
  const tenancy = Tenancy.of(em.config);
  const meta = entity === undefined ? undefined : metaOf(em, entity);
  refuseForeign(given, schema ?? em.getContext(false).schema, { tenancy, scope: tenancy.scope, entity: meta?.className });
}

/** The metadata of an entity or its name; undefined where it is neither. */
export function metaOf(em: GuardedEntityManager, entity: EntityName | object): EntityMetadata | undefined {
  return em.getMetadata().find(isName(entity) ? entity : entity.constructor);
}

/** The parts of an EntityManager that are asked here. */
export interface GuardedEntityManager extends Pick<EntityManager, 'config'> {
  getContext(validate: false): { readonly schema: string | undefined };
  getMetadata(): { find(entityName: EntityName): EntityMetadata | undefined };
}
