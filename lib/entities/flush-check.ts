import { helper, type ChangeSet, type Collection, type EntityManager, type UnitOfWork } from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { refuseSchemaOfShared } from './schema-of-shared.js';
import { entitiesOf, firstForeignEntity, foreignSchema, propertyTo } from './relations.js';

/** One flush of an EntityManager. */
export interface Flush {
  readonly uow: UnitOfWork;
  readonly em: EntityManager;
  readonly rules: TenantRules;
}

/**
 * Refuses a flush that involves more than one tenant, before its transaction begins. It checks the changed entities, the persisted ones, those
 * that a cascade added, and the entities that all of these refer to.
 *
 * A foreign key contains no schema. A reference to another tenant's row would be stored as a reference to the row of the own tenant with the
 * same key. If the key did not change, nothing would be stored, and the entity would still hold the other tenant's entity.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function checkFlush(flush: Flush): void {
  const { uow } = flush;
  const own = tenantOf(flush);
  const changeSets = uow.getChangeSets();

  checkCollections(flush);
  checkPostponed(flush);

  const checked = uow.getPersistStack();

  // MikroORM cascades from every managed entity, so the persist stack has every entity of the flush except the removed ones
  for (const entity of checked) {
    checkEntity(entity, own, flush);
  }

  for (const { entity } of changeSets) {
    const { __meta: meta, __schema: schema } = helper(entity);

    // an entity whose change set a hook computed is no longer on the persist stack
    if (schema !== undefined && isTenantEntity(meta.root) && !checked.has(entity)) {
      checkRelations(entity, schema);
    }
  }

  checkSchemas(changeSets, flush);
}

/**
 * Checks the change sets again, immediately before they are written. A hook may have set another tenant's entity.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function checkChangeSets(changeSets: readonly ChangeSet<object>[], flush: Flush): void {
  checkSchemas(changeSets, flush);

  for (const { entity, meta, schema } of changeSets) {
    if (schema !== undefined && isTenantEntity(meta.root)) {
      checkRelations(entity, schema);
    }
  }
}

function checkSchemas(changeSets: readonly ChangeSet<object>[], flush: Flush): void {
  const own = tenantOf(flush);
  const seen = new Set<string | undefined>();

  for (const { entity, meta, schema } of changeSets) {
    if (!isTenantEntity(meta.root)) {
      refuseSchemaOfShared(meta, { schema, own, mayNameTenant: false, rules: flush.rules, scope: flush.rules.scope });
      continue;
    }

    if (own !== undefined && schema !== undefined && schema !== own && schema !== meta.root.schema) {
      throw CrossTenantError.foreignFlush(meta.className, [own, schema], pathTo(entity, own, flush));
    }

    if (!seen.has(schema)) {
      seen.add(schema);
      flush.em.getDriver().getSchemaName(meta, schema === undefined ? {} : { schema });
    }
  }
}

/**
 * Checks the changed collections immediately before they are written. Each must contain only entities of its owner's tenant.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function checkCollections(flush: Flush): void {
  for (const { owner } of flush.uow.getCollectionUpdates() as readonly Collection<object>[]) {
    const { __meta: meta, __schema: schema } = helper(owner);
    const own = tenantOf(flush) ?? schema;

    if (isTenantEntity(meta.root) && own !== undefined) {
      refuseForeignOwner(owner, own, flush);
      checkRelations(owner, own);
    }
  }
}

// MikroORM removes a unique value from its entity, and writes it after the other changes
function checkPostponed({ uow }: Flush): void {
  for (const [entity, names, values] of uow.getExtraUpdates()) {
    const { __meta: meta, __schema: schema } = helper(entity);

    if (schema === undefined || !isTenantEntity(meta.root)) {
      continue;
    }

    for (const [index, name] of [names].flat().entries()) {
      for (const value of entitiesOf(Array.isArray(names) ? (values as unknown[])[index] : values)) {
        const foreign = foreignSchema(value, schema);

        if (foreign !== undefined) {
          throw CrossTenantError.relation(`${meta.className}.${name}`, schema, foreign);
        }
      }
    }
  }
}

function checkEntity(entity: object, own: string | undefined, flush: Flush): void {
  const { __meta: meta, __schema: schema, __em: em } = helper(entity);

  if (!isTenantEntity(meta.root) || schema === undefined) {
    return;
  }

  checkRelations(entity, schema);

  // outside a scope an EntityManager can read another tenant's entity on request. It may keep it as long as it does not write it
  if (own !== undefined && em !== flush.em) {
    refuseForeignOwner(entity, own, flush);
  }
}

function checkRelations(entity: object, schemaName: string): void {
  const foreign = firstForeignEntity(entity, schemaName);

  if (foreign !== undefined) {
    throw CrossTenantError.relation(foreign.property, schemaName, foreign.schemaName);
  }
}

function refuseForeignOwner(entity: object, own: string, flush: Flush): void {
  const schema = foreignSchema(entity, own);

  if (schema !== undefined) {
    throw CrossTenantError.foreignFlush(helper(entity).__meta.className, [own, schema], pathTo(entity, own, flush));
  }
}

/** The tenant of a flush: the scope's, else the EntityManager's, else that of the first changed entity. */
function tenantOf({ uow, em, rules }: Flush): string | undefined {
  if (rules.scope?.kind === 'tenant') {
    return rules.scope.schemaName;
  }

  if (em.schema !== undefined && em.schema !== rules.publicSchema) {
    return em.schema;
  }

  return uow.getChangeSets().find(({ meta, schema }) => isTenantEntity(meta.root) && schema !== meta.root.schema)?.schema;
}

/** The property of an entity of the own tenant that refers to the other tenant's entity. It is only for a message, so speed does not matter. */
function pathTo(entity: object, own: string, { uow }: Flush): string | undefined {
  for (const referrer of [...uow.getPersistStack(), ...uow.getRemoveStack(), ...uow.getIdentityMap()]) {
    const property = helper(referrer).__schema === own ? propertyTo(referrer, entity) : undefined;

    if (property !== undefined) {
      return property;
    }
  }

  return undefined;
}
