import { helper, type ChangeSet, type Configuration, type Collection, type EntityManager, type UnitOfWork } from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import type { Scope } from '../scope/scope.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity, type OfClass } from '../tenant/entity-kinds.js';
import { refuseSchemaOfShared } from './schema-of-shared.js';
import {
  belongsTo,
  entitiesOf,
  firstForeignEntity,
  firstForeignHeld,
  firstForeignOfOtherClass,
  foreignSchema,
  isOwnEntity,
  propertyTo,
  type Referred,
} from './relations.js';

/** One flush of an EntityManager. */
export interface Flush {
  readonly uow: UnitOfWork;
  readonly em: EntityManager;
  readonly rules: TenantRules;
}

/**
 * Refuses a flush that involves more than one tenant, before its transaction begins. It checks the changed entities, the removed ones, the
 * persisted ones, those that a cascade added, and the entities that all of these refer to.
 *
 * A foreign key contains no schema. A reference to another tenant's row would be stored as a reference to the row of the own tenant with the
 * same key. If the key did not change, nothing would be stored, and the entity would still hold the other tenant's entity.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function checkFlush(flush: Flush, changeSets: readonly ChangeSet<object>[]): void {
  const { uow } = flush;
  const before = lookAt(flush, changeSets);
  const look: Look = { ...before, checked: checkOwners(flush, before) };
  checkPostponed(flush);

  const checked = uow.getPersistStack();

  // MikroORM cascades from every managed entity, so the persist stack has every entity of the flush except the removed ones
  for (const entity of checked) {
    checkEntity(entity, look, flush);
  }

  for (const { entity } of changeSets) {
    // one that is removed, or whose change set a hook computed, is not on the persist stack
    if (!checked.has(entity)) {
      checkEntity(entity, look, flush);
    }
  }

  checkSchemas(changeSets, look, flush);
}

/**
 * Checks the change sets again, immediately before they are written. A hook may have set another tenant's entity. Where there is none, what is
 * written is what was checked: MikroORM reads the entities no more.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function checkChangeSets(
  changeSets: readonly ChangeSet<object>[],
  flush: Flush,
  { mayHaveChanged }: { readonly mayHaveChanged: boolean },
): void {
  const look = lookAt(flush);
  checkSchemas(changeSets, look, flush);

  if (!mayHaveChanged) {
    return;
  }

  for (const { entity, meta, schema } of changeSets) {
    const own = isTenantEntity(meta.root) ? schema : look.own;

    if (!isTenantEntity(meta.root)) {
      checkHeld(entity, look);
    } else if (schema !== undefined) {
      checkRelations(entity, schema, look);
    }

    if (own !== undefined) {
      refuseReferred(firstForeignOfOtherClass(entity, own, look.config), own);
    }
  }
}

function checkSchemas(changeSets: readonly ChangeSet<object>[], { own, scope }: Look, flush: Flush): void {
  let isFirst = true;
  let known: string | undefined;

  for (const { entity, meta, schema } of changeSets) {
    if (!isTenantEntity(meta.root)) {
      refuseSchemaOfShared(meta, { schema, own, mayNameTenant: false, rules: flush.rules, scope });
      continue;
    }

    if (own !== undefined && schema !== undefined && schema !== own && schema !== meta.root.schema) {
      throw CrossTenantError.foreignFlush(meta.className, [own, schema], pathTo(entity, own, flush));
    }

    if (isFirst || schema !== known) {
      isFirst = false;
      known = schema;
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
  checkOwners(flush, lookAt(flush));
}

/** Returns the owners whose relations were looked at as those of an entity of their own schema. */
function checkOwners(flush: Flush, look: Look): ReadonlySet<object> | undefined {
  let owners: Set<object> | undefined;

  for (const { owner } of flush.uow.getCollectionUpdates() as readonly Collection<object>[]) {
    const { __schema: schema } = helper(owner);
    const own = look.own ?? schema;

    if (isTenantEntity((owner as OfClass).__meta.root) && own !== undefined) {
      refuseForeignOwner(owner, own, look, flush);
      checkRelations(owner, own, look);

      if (schema === own) {
        owners ??= new Set();
        owners.add(owner);
      }
    }
  }

  return owners;
}

// MikroORM removes a unique value from its entity, and writes it after the other changes
function checkPostponed({ uow, rules }: Flush): void {
  for (const [entity, names, values] of uow.getExtraUpdates()) {
    const { __meta: meta, __schema: schema } = helper(entity);

    if (schema === undefined || !isTenantEntity(meta.root)) {
      continue;
    }

    for (const [index, name] of [names].flat().entries()) {
      for (const value of entitiesOf(Array.isArray(names) ? (values as unknown[])[index] : values)) {
        const foreign = foreignSchema(value, schema, rules.config);

        if (foreign !== undefined) {
          throw CrossTenantError.relation(`${meta.className}.${name}`, schema, foreign);
        }
      }
    }
  }
}

function checkEntity(entity: object, look: Look, flush: Flush): void {
  if (!isTenantEntity((entity as OfClass).__meta.root)) {
    checkHeld(entity, look);
    return;
  }

  const { __schema: schema, __em: em } = helper(entity);

  if (schema === undefined) {
    return;
  }

  if (look.checked?.has(entity) !== true) {
    checkRelations(entity, schema, look);
  }

  // outside a scope an EntityManager can read another tenant's entity on request. It may keep it as long as it does not write it
  if (look.own !== undefined && em !== flush.em && (em !== undefined || schema !== look.own)) {
    refuseForeignOwner(entity, look.own, look, flush);
  }
}

function checkRelations(entity: object, schemaName: string, { config, known }: Look): void {
  refuseReferred(firstForeignEntity(entity, schemaName, config, known), schemaName);
}

// a shared entity refers to tenants' rows in collections alone, whose items are part of the flush
function checkHeld(entity: object, { own, config }: Look): void {
  if (own !== undefined) {
    refuseReferred(firstForeignHeld(entity, own, config), own);
  }
}

function refuseReferred(foreign: Referred | undefined, schemaName: string): void {
  if (foreign !== undefined) {
    throw CrossTenantError.relation(foreign.property, schemaName, foreign.schemaName);
  }
}

function refuseForeignOwner(entity: object, own: string, { known }: Look, flush: Flush): void {
  const schema = isOwnEntity(entity, own, known) ? undefined : foreignSchema(entity, own, flush.rules.config);

  if (schema !== undefined) {
    throw CrossTenantError.foreignFlush(helper(entity).__meta.className, [own, schema], pathTo(entity, own, flush));
  }
}

function lookAt(flush: Flush, changeSets?: readonly ChangeSet<object>[]): Look {
  const { config, scope } = flush.rules;

  return {
    config,
    own: tenantOf(flush, scope, changeSets),
    known: belongsTo(flush.em, scope) ? flush.em : undefined,
    scope,
    checked: undefined,
  };
}

/** The tenant of a flush: the scope's, else the EntityManager's, else that of the first changed entity. */
function tenantOf({ uow, em, rules }: Flush, scope: Scope | undefined, changeSets?: readonly ChangeSet<object>[]): string | undefined {
  if (scope?.kind === 'tenant') {
    return scope.schemaName;
  }

  const { schema: ofEm } = em;

  if (ofEm !== undefined && ofEm !== rules.publicSchema) {
    return ofEm;
  }

  return (changeSets ?? uow.getChangeSets()).find(({ meta, schema }) => isTenantEntity(meta.root) && schema !== meta.root.schema)?.schema;
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

/** What is asked for once for all entities of a flush. It holds until the next `await`. */
interface Look {
  readonly config: Configuration;
  readonly own: string | undefined;
  /** The EntityManager, if it is known to be of the scope. */
  readonly known: object | undefined;
  readonly scope: Scope | undefined;
  /** Entities whose relations have been looked at. */
  readonly checked: ReadonlySet<object> | undefined;
}
