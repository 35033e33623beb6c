import {
  Cascade,
  helper,
  Reference,
  ReferenceKind,
  UnitOfWork,
  Utils,
  type Configuration,
  type EntityMetadata,
  type EntityName,
  type EntityProperty,
} from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import { innermostScope } from '../scope/scope.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { foreignSchema } from './relations.js';

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
  /* oxlint-enable typescript/unbound-method */
}

/**
 * A unit of work whose entities have a schema from the moment they enter it. The identity map has each entity under its schema and its key.
 * MikroORM gives a new entity its schema only when it flushes, and so would have it under one key before and under another one after. It would
 * then come back from the first when it was removed from the second.
 *
 * Relies on `persist`, `merge` and `register` being all that stores entities in the identity map, and on every deletion going through
 * `computeChangeSet`. Cascades call these methods too.
 */
export class TenantUnitOfWork extends (UnitOfWork as unknown as OpenUnitOfWorkClass) {
  declare readonly owner: Owner;

  override persist(...args: Args<'persist'>) {
    giveSchema(args[0], this.owner);
    super.persist(...args);
  }

  override merge(...args: Args<'merge'>) {
    giveSchema(args[0], this.owner);
    super.merge(...args);
  }

  override register(...args: Args<'register'>): ReturnType<OpenUnitOfWork['register']> {
    giveSchema(args[0], this.owner);

    return super.register(...args);
  }

  override computeChangeSet(...args: Args<'computeChangeSet'>) {
    giveSchema(args[0], this.owner);
    super.computeChangeSet(...args);
  }

  // MikroORM passes the schema of the EntityManager, also for a shared entity, or none
  override getById(...args: Args<'getById'>): ReturnType<OpenUnitOfWork['getById']> {
    const schema = schemaOf(args[0], args[2], this.owner);

    // every reference of a row comes here, and most are of the schema that is given
    if (schema === args[2]) {
      return super.getById(...args);
    }

    const [entityName, id, , ...rest] = args;

    return super.getById(entityName, id, schema, ...rest);
  }

  override getByKey(...[entityName, key, value, schema, ...rest]: Args<'getByKey'>): ReturnType<OpenUnitOfWork['getByKey']> {
    return super.getByKey(entityName, key, value, schemaOf(entityName, schema, this.owner), ...rest);
  }

  // the tenant of a scope may be changed by whoever reads it, and none of that is to be stored
  override cascade(...args: Args<'cascade'>) {
    const type = args[1];

    if ((type !== Cascade.PERSIST && type !== Cascade.MERGE) || !isTenantOfScope(args[0], this)) {
      super.cascade(...args);
    }
  }

  // MikroORM takes the key alone of a reference that no EntityManager has made
  override fixMissingReference(...args: Args<'fixMissingReference'>) {
    const { kind, name } = args[1];

    // of a collection it takes none
    if (kind === ReferenceKind.MANY_TO_ONE || kind === ReferenceKind.ONE_TO_ONE) {
      const target: unknown = Reference.unwrapReference((args[0] as Readonly<Record<string, object>>)[name] as object);

      if (Utils.isEntity<object>(target) && !helper(target).__initialized && helper(target).__em === undefined) {
        refuseForeignReference(args[0], args[1], { target, own: this.owner.schema });
      }
    }

    super.fixMissingReference(...args);
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
  const { __meta: meta } = helper(entity);

  // the first, which tells most entities, asks for nothing
  if (isTenantEntity(meta.root) || !TenantRules.of(config).isTenantClass(meta)) {
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
export function giveSchema(entity: object, owner: Pick<Owner, 'config' | 'schema'>): void {
  const wrapped = helper(entity);

  // most have one, and the schema of an EntityManager is looked up in its context
  if (wrapped.__schema !== undefined) {
    return;
  }

  const { config, schema } = owner;

  if (schema === undefined || schema === TenantRules.of(config).publicSchema) {
    return;
  }

  const { root } = wrapped.__meta as EntityMetadata;
  // else MikroORM puts a shared entity into the tenant when it flushes, and looks for it there
  const own = isTenantEntity(root) ? schema : root.schema;

  if (own !== undefined) {
    wrapped.__schema = own;
  }
}

function refuseForeignReference(
  entity: object,
  { name }: EntityProperty,
  { target, own }: { readonly target: object; readonly own: string | undefined },
): void {
  const { __meta: meta, __schema: schema = own } = helper(entity);
  const foreign = schema === undefined || !isTenantEntity(meta.root) ? undefined : foreignSchema(target, schema);

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
  cascade(entity: object, type: Cascade, ...rest: unknown[]): void;
  computeChangeSet(...args: Parameters<UnitOfWork['computeChangeSet']>): void;
  fixMissingReference(entity: object, property: EntityProperty, ...rest: unknown[]): void;
  getById(...args: Parameters<UnitOfWork['getById']>): ReturnType<UnitOfWork['getById']>;
  getByKey(...args: Parameters<UnitOfWork['getByKey']>): ReturnType<UnitOfWork['getByKey']>;
  merge(...args: Parameters<UnitOfWork['merge']>): void;
  persist(...args: Parameters<UnitOfWork['persist']>): void;
  register(...args: Parameters<UnitOfWork['register']>): ReturnType<UnitOfWork['register']>;
}
