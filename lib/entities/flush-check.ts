import { helper, type ChangeSet, type Collection, type EntityManager, type UnitOfWork } from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { entitiesOf, firstForeign, foreignSchema, propertyTo } from './relations.js';

/** One flush, and whose. */
export interface Flush {
  readonly uow: UnitOfWork;
  readonly em: EntityManager;
  readonly rules: TenantRules;
}

/**
 * Refuses a flush that is not of one tenant, before its transaction begins: by what it writes, by what it was given or a cascade
 * pulled in, and by what all that refers to. A foreign key holds no schema, so a reference to another tenant's row would be stored
 * as one to whichever row of the own tenant has that key; where the two keys are the same, nothing would be stored, and the entity
 * would go on showing the other tenant's.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function checkFlush(flush: Flush): void {
  const { uow } = flush;
  const own = tenantOf(flush);
  const changeSets = uow.getChangeSets();

  checkCollections(flush);
  checkPostponed(flush);

  const looked = uow.getPersistStack();

  // MikroORM cascades from all that it manages, so this is every entity that the flush looks at, but for what it removes
  for (const entity of looked) {
    checkEntity(entity, own, flush);
  }

  for (const { entity } of changeSets) {
    const { __meta: meta, __schema: schema } = helper(entity);

    // what a hook had computed has left the stack
    if (schema !== undefined && isTenantEntity(meta.root) && !looked.has(entity)) {
      checkRelations(entity, schema);
    }
  }

  checkSchemas(changeSets, flush);
}

/**
 * Refuses what the flush is about to write, as it is by then: a hook may have set another tenant's entity.
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
 * Refuses a collection that is about to be stored and holds an entity of another tenant than its owner's, as it is by then.
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

// a value that is unique is taken off its entity, to be written after the others
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

  // outside a scope an EntityManager may have read another tenant's on request, and hold it without writing it
  if (own !== undefined && em !== flush.em) {
    refuseForeignOwner(entity, own, flush);
  }
}

function checkRelations(entity: object, schemaName: string): void {
  const foreign = firstForeign(entity, schemaName);

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

/** The tenant that a flush is of: the scope's, else that of its EntityManager, else that of the first entity it writes. */
function tenantOf({ uow, em, rules }: Flush): string | undefined {
  if (rules.scope?.kind === 'tenant') {
    return rules.scope.schemaName;
  }

  if (em.schema !== undefined && em.schema !== rules.publicSchema) {
    return em.schema;
  }

  return uow.getChangeSets().find(({ meta, schema }) => isTenantEntity(meta.root) && schema !== meta.root.schema)?.schema;
}

/** The property of one of the own tenant's entities that leads to the other's. Only for a message, so it may take its time. */
function pathTo(entity: object, own: string, { uow }: Flush): string | undefined {
  for (const referrer of [...uow.getPersistStack(), ...uow.getRemoveStack(), ...uow.getIdentityMap()]) {
    const property = helper(referrer).__schema === own ? propertyTo(referrer, entity) : undefined;

    if (property !== undefined) {
      return property;
    }
  }

  return undefined;
}
