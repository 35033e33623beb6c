import {
  Cascade,
  EntityHelper,
  helper,
  Reference,
  ReferenceKind,
  UnitOfWork,
  type Configuration,
  type EntityMetadata,
  type EntityName,
  type EntityProperty,
} from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import { innermostScope } from '../scope/scope.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity, type OfClass } from '../tenant/entity-kinds.js';
import type { Others } from '../tenant/other-arguments.js';
import { foreignSchema } from './relations.js';
import { removeOfTenant, schemaOfRemoved } from './removed-entities.js';

/**
 * Gives the unit of work of an EntityManager that EntityManager's tenant. Must be called before it has entities.
 *
 * Every request makes one. Another prototype would take longer than all of these assignments, and so would a loop.
 */
export function giveTenantTo(unitOfWork: UnitOfWork, owner: Owner): void {
  const uow = unitOfWork as unknown as OwnedUnitOfWork;
  const own = TenantUnitOfWork.prototype;
  uow.owner = owner;
  /* oxlint-disable typescript/unbound-method -- they become methods of another object */
  uow.persist = own.persist;
  uow.merge = own.merge;
  uow.register = own.register;
  uow.computeChangeSet = own.computeChangeSet;
  uow.getById = own.getById;
  uow.getByKey = own.getByKey;
  uow.cascade = own.cascade;
  uow.fixMissingReference = own.fixMissingReference;
  uow.unsetIdentity = own.unsetIdentity;
  /* oxlint-enable typescript/unbound-method */
}

/**
 * A unit of work whose entities have a schema from the moment they enter it. The identity map has each entity under its schema and its key.
 * MikroORM gives a new entity its schema only when it flushes, and so would have it under one key before and under another one after. It would
 * then come back from the first when it was removed from the second.
 *
 * Every entity of a flush and of a result comes through these methods, which is why they name their arguments, and look at the schema that most
 * entities have before they call anything.
 *
 * Relies on `persist`, `merge` and `register` being all that stores entities in the identity map, and on every deletion going through
 * `computeChangeSet`. Cascades call these methods too.
 */
export class TenantUnitOfWork extends (UnitOfWork as unknown as OpenUnitOfWorkClass) {
  declare readonly owner: Owner;

  override persist(
    entity: Args<'persist'>[0],
    visited?: Args<'persist'>[1],
    options?: Args<'persist'>[2],
    ...rest: Others<Args<'persist'>, 3>
  ): void {
    if (helper(entity).__schema === undefined) {
      giveSchema(entity, this.owner);
    }

    super.persist(entity, visited, options, ...rest);
  }

  override merge(entity: Args<'merge'>[0], visited?: Args<'merge'>[1], ...rest: Others<Args<'merge'>, 2>): void {
    if (helper(entity).__schema === undefined) {
      giveSchema(entity, this.owner);
    }

    super.merge(entity, visited, ...rest);
  }

  override register(
    entity: Args<'register'>[0],
    data?: Args<'register'>[1],
    options?: Args<'register'>[2],
    ...rest: Others<Args<'register'>, 3>
  ): ReturnType<OpenUnitOfWork['register']> {
    if (helper(entity).__schema === undefined) {
      giveSchema(entity, this.owner);
    }

    return super.register(entity, data, options, ...rest);
  }

  override computeChangeSet(
    entity: Args<'computeChangeSet'>[0],
    type?: Args<'computeChangeSet'>[1],
    ...rest: Others<Args<'computeChangeSet'>, 2>
  ): void {
    if (helper(entity).__schema === undefined) {
      giveSchema(entity, this.owner);
    }

    super.computeChangeSet(entity, type, ...rest);
  }

  // MikroORM passes the schema of the EntityManager, also for a shared entity, or none
  override getById(
    entityName: Args<'getById'>[0],
    id: Args<'getById'>[1],
    schema?: Args<'getById'>[2],
    convertsTypes?: Args<'getById'>[3],
    ...rest: Others<Args<'getById'>, 4>
  ): ReturnType<OpenUnitOfWork['getById']> {
    return super.getById(entityName, id, schemaOf(entityName, schema, this.owner), convertsTypes, ...rest);
  }

  override getByKey(...[entityName, key, value, schema, ...rest]: Args<'getByKey'>): ReturnType<OpenUnitOfWork['getByKey']> {
    return super.getByKey(entityName, key, value, schemaOf(entityName, schema, this.owner), ...rest);
  }

  // the tenant of a scope may be changed by whoever reads it, and none of that is to be stored
  override cascade(
    entity: Args<'cascade'>[0],
    type: Args<'cascade'>[1],
    visited?: Args<'cascade'>[2],
    options?: Args<'cascade'>[3],
    ...rest: Others<Args<'cascade'>, 4>
  ): void {
    // the first, which tells most entities, asks for nothing
    if (
      isTenantEntity((entity as OfClass).__meta.root) ||
      (type !== Cascade.PERSIST && type !== Cascade.MERGE) ||
      !isTenantOfScope(entity, this)
    ) {
      super.cascade(entity, type, visited, options, ...rest);
    }
  }

  // MikroORM takes the key alone of a reference that no EntityManager has made
  override fixMissingReference(
    entity: Args<'fixMissingReference'>[0],
    property: Args<'fixMissingReference'>[1],
    ...rest: Others<Args<'fixMissingReference'>, 2>
  ): void {
    const { kind, name } = property;

    // of a collection it takes none
    if (kind === ReferenceKind.MANY_TO_ONE || kind === ReferenceKind.ONE_TO_ONE) {
      const target = Reference.unwrapReference((entity as Readonly<Record<string, object>>)[name] as object);

      const wrapped = EntityHelper.isEntity(target) ? helper(target) : undefined;

      if (wrapped !== undefined && !wrapped.__initialized && wrapped.__em === undefined) {
        refuseForeignReference(entity, property, { target, owner: this.owner });
      }
    }

    super.fixMissingReference(entity, property, ...rest);
  }

  override unsetIdentity(entity: Args<'unsetIdentity'>[0], ...rest: Others<Args<'unsetIdentity'>, 1>): void {
    const { schema: own } = this.owner;
    const { __meta: meta, __schema: schema } = helper(entity);

    if (schema === undefined || !isTenantEntity(meta.root)) {
      super.unsetIdentity(entity, ...rest);
    } else if (
      (schemaOfRemoved() ?? schema) === schema &&
      (own === undefined || own === schema || this.getIdentityMap().getByEntity(entity) !== undefined)
    ) {
      removeOfTenant(entity, schema, this.getIdentityMap(), () => super.unsetIdentity(entity, ...rest));
    }

    // all others are removed in a scope within this one's transaction, or have in their key the one of what is removed
  }
}

/** The schema that entities of this name are under. */
function schemaOf(entityName: EntityName, given: string | undefined, owner: Owner): string | undefined {
  const meta = owner.getMetadata().find(entityName);

  return meta === undefined || isTenantEntity(meta.root) ? (given ?? owner.schema) : (meta.root.schema ?? given);
}

/** Whether the entity is what `currentTenant()` returns, here or around here, and the unit of work was not told to store it. */
function isTenantOfScope(entity: object, uow: Pick<OwnedUnitOfWork, 'owner' | 'getPersistStack' | 'getIdentityMap'>): boolean {
  const { config, boundScope } = uow.owner;
  const { __meta: meta } = entity as OfClass;

  if (!TenantRules.of(config).isTenantClass(meta)) {
    return false;
  }

  if (uow.getPersistStack().has(entity) || uow.getIdentityMap().getByEntity(entity) === entity) {
    return false;
  }

  for (const innermost of [boundScope, innermostScope()]) {
    for (let scope = innermost; scope !== undefined; scope = scope.outer) {
      if (scope.kind === 'tenant' && scope.tenant === entity) {
        return true;
      }
    }
  }

  return false;
}

/** Puts an entity without a schema into the tenant of the EntityManager, or into its own schema if it is shared. */
export function giveSchema(entity: object, owner: Pick<Owner, 'config' | 'schema' | 'getMetadata'>): void {
  const wrapped = helper(entity);

  if (wrapped.__schema !== undefined) {
    return;
  }

  const { config, schema } = owner;
  const { root } = wrapped.__meta as EntityMetadata;
  const hasTenant = schema !== undefined && schema !== TenantRules.of(config).publicSchema;

  if (isTenantEntity(root)) {
    if (hasTenant) {
      wrapped.__schema = schema;
    }

    return;
  }

  // What an entity says of its class is what the ORM that was opened last says. Another ORM may have the same classes, and another public schema.
  const own = owner.getMetadata().find(root.class)?.schema;

  // else MikroORM puts a shared entity into the tenant when it flushes, and looks for it there
  if (own !== undefined && (hasTenant || own !== root.schema)) {
    wrapped.__schema = own;
  }
}

function refuseForeignReference(
  entity: object,
  { name }: EntityProperty,
  { target, owner }: { readonly target: object; readonly owner: Owner },
): void {
  const { __meta: meta, __schema: schema = owner.schema } = helper(entity);
  const foreign = schema === undefined || !isTenantEntity(meta.root) ? undefined : foreignSchema(target, schema, owner.config);

  if (schema !== undefined && foreign !== undefined) {
    throw CrossTenantError.relation(`${meta.className}.${name}`, schema, foreign);
  }
}

interface Owner extends ScopedEm {
  readonly config: Configuration;
  getMetadata(): { find(entityName: EntityName): EntityMetadata | undefined };
}

type OwnedUnitOfWork = OpenUnitOfWork & { owner: Owner };

/** Without type parameters, which an override could not repeat. */
type OpenUnitOfWorkClass = new (...args: ConstructorParameters<typeof UnitOfWork>) => OpenUnitOfWork;

interface OpenUnitOfWork extends Omit<UnitOfWork, keyof OverriddenMethods>, OverriddenMethods {}

type Args<Name extends keyof OverriddenMethods> = Parameters<OverriddenMethods[Name]>;

interface OverriddenMethods {
  cascade(entity: object, type: Cascade, visited?: Set<object>, options?: object): void;
  computeChangeSet(...args: Parameters<UnitOfWork['computeChangeSet']>): void;
  fixMissingReference(entity: object, property: EntityProperty): void;
  getById(...args: Parameters<UnitOfWork['getById']>): ReturnType<UnitOfWork['getById']>;
  getByKey(...args: Parameters<UnitOfWork['getByKey']>): ReturnType<UnitOfWork['getByKey']>;
  merge(...args: Parameters<UnitOfWork['merge']>): void;
  persist(...args: Parameters<UnitOfWork['persist']>): void;
  register(...args: Parameters<UnitOfWork['register']>): ReturnType<UnitOfWork['register']>;
  unsetIdentity(entity: object): void;
}
