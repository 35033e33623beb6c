import {
  Collection,
  EntityHelper,
  helper,
  Reference,
  Utils,
  type Configuration,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';
import { isSameDatabase } from '../scope/same-database.js';
import { currentScope, type Scope } from '../scope/scope.js';
import { isSameTenant } from '../scope/tenant-identity.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { isTenantEntity, type OfClass } from '../tenant/entity-kinds.js';
import { entitiesHeldBy, holdersOf } from './held-entities.js';

/** A tenant entity, and the property that refers to it. */
export interface Referred {
  readonly entity: object;
  /** The name for messages: `Book.author`, or `Book.imprint.editor` for a property of an embeddable. */
  readonly property: string;
  readonly schemaName: string;
}

/**
 * The first entity of another tenant that this entity refers to directly: by a foreign key, also one of an embeddable, in a collection, or in a
 * value that is no relation. An entity without a schema is accepted. It is new or only a key, and gets the tenant that it is stored in. `config`
 * is that of the ORM that reads or writes.
 */
export function firstForeignEntity(entity: object, schemaName: string, config: Configuration, known?: object): Referred | undefined {
  return firstForeignRelated(entity, schemaName, config, known) ?? firstForeignHeld(entity, schemaName, config);
}

/** The same of the values alone that are no relations: what is in JSON, or has a type of the user's own. */
export function firstForeignHeld(entity: object, schemaName: string, config: Configuration): Referred | undefined {
  const { __meta: meta } = entity as OfClass;

  for (const property of holdersOf(meta)) {
    // a flush comes here for every such property of every entity, and most are texts and numbers
    const value =
      property.embedded === undefined ? (entity as Readonly<Record<string, unknown>>)[property.name] : heldBy(entity, meta, property);

    if (typeof value !== 'object' || value === null) {
      continue;
    }

    for (const held of entitiesHeldBy(value, property)) {
      // JSON has what an entity refers to as well
      const found = foreignIn(held, schemaName, config) ?? firstForeignRelated(held, schemaName, config);

      if (found !== undefined) {
        return { ...found, property: propertyName(meta, property) };
      }
    }
  }

  return undefined;
}

/**
 * The same of the relations to shared entities. MikroORM refuses an entity of another class there before the hooks of a flush, and stores the key
 * of one that a hook has set.
 */
export function firstForeignOfOtherClass(entity: object, schemaName: string, config: Configuration): Referred | undefined {
  const { __meta: meta } = entity as OfClass;

  for (const property of tenantRelationsOf(meta).others) {
    const found = foreignIn(valueOf(entity, meta, property), schemaName, config);

    if (found !== undefined) {
      return { ...found, property: propertyName(meta, property) };
    }
  }

  return undefined;
}

function firstForeignRelated(entity: object, schemaName: string, config: Configuration, known?: object): Referred | undefined {
  const { __meta: meta } = entity as OfClass;

  for (const property of tenantRelationsOf(meta).all) {
    // a flush comes here for every relation of every entity
    const value =
      property.embedded === undefined ? (entity as Readonly<Record<string, unknown>>)[property.name] : valueOf(entity, meta, property);
    const found = isKnownOwn(value, schemaName, known) ? undefined : foreignIn(value, schemaName, config);

    if (found !== undefined) {
      return { ...found, property: propertyName(meta, property) };
    }
  }

  return undefined;
}

/** Whether the key of an entity is, or contains, that of a tenant's entity that it refers to. */
export function isKeyedByRelation(meta: EntityMetadata): boolean {
  return tenantRelationsOf(meta).someInKey;
}

/** The property of the entity that refers to `target`, as a name for messages. */
export function propertyTo(entity: object, target: object): string | undefined {
  const { __meta: meta } = entity as OfClass;
  const found = tenantRelationsOf(meta).all.find(property =>
    [valueOf(entity, meta, property)].flat().some(value => entitiesOf(value).includes(target)),
  );

  return found === undefined ? undefined : propertyName(meta, found);
}

/**
 * The schema of a tenant entity. Undefined if it has none, or the given one, unless another tenant had that name when the entity was loaded, or
 * has it in another database.
 */
export function foreignSchema(entity: object, schemaName: string, config: Configuration): string | undefined {
  const { __schema: schema, __em: em } = helper(entity);

  return schema !== undefined && (schema !== schemaName || isOfOther(em, config)) && isTenantEntity((entity as OfClass).__meta.root)
    ? schema
    : undefined;
}

/**
 * Whether the value of a relation is known to hold no entity of another tenant, by the schema and the EntityManager of each alone. The scope is
 * asked for only of the others. `known` is an EntityManager for which `belongsTo` has said so.
 */
function isKnownOwn(value: unknown, schemaName: string, known: object | undefined): boolean {
  if (value === undefined || value === null) {
    return true;
  }

  if (value instanceof Collection) {
    for (const item of value.getItems(false) as readonly unknown[]) {
      if (!isOwnEntity(item, schemaName, known)) {
        return false;
      }
    }

    return true;
  }

  return isOwnEntity(value instanceof Reference ? value.unwrap() : value, schemaName, known);
}

/** The same of an entity. */
export function isOwnEntity(value: unknown, schemaName: string, known: object | undefined): boolean {
  if (!EntityHelper.isEntity(value)) {
    return false;
  }

  const { __schema: schema, __em: em } = helper(value as object);

  return (
    schema === undefined || (schema === schemaName && (em === undefined || em === known)) || !isTenantEntity((value as OfClass).__meta.root)
  );
}

/** Whether the EntityManager is of no tenant that had the name of the scope's before or has it since. */
export function belongsTo(em: ScopedEm, scope: Scope | undefined): boolean {
  const { boundScope: bound } = em;

  return bound?.kind !== 'tenant' || bound === scope || !isOfOther(em, bound.config);
}

/** Whether the EntityManager belongs to another tenant than the scope, and both have or had the same name, or are in two databases. */
function isOfOther(em: (ScopedEm & { readonly config?: Configuration }) | undefined, config: Configuration): boolean {
  if (em?.config !== undefined && !isSameDatabase(em.config, config)) {
    return true;
  }

  const bound = em?.boundScope;

  if (bound?.kind !== 'tenant') {
    return false;
  }

  const scope = currentScope(config);

  return scope?.kind === 'tenant' && scope.schemaName === bound.schemaName && !isSameTenant(scope.identity, bound.identity);
}

/** The entities in the value of a relation: a reference's, a collection's, or the entity itself. */
export function entitiesOf(value: unknown): readonly object[] {
  const target: unknown = Reference.unwrapReference(value as object);

  return Utils.isCollection(target) ? target.getItems(false) : Utils.isEntity<object>(target) ? [target] : NONE;
}

// a flush calls this for every relation of every entity. Most relations are empty, so no array is created for them
function foreignIn(value: unknown, schemaName: string, config: Configuration): Omit<Referred, 'property'> | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }

  if (Array.isArray(value)) {
    for (const item of value) {
      const found = foreignIn(item, schemaName, config);

      if (found !== undefined) {
        return found;
      }
    }

    return undefined;
  }

  const target: unknown = Reference.unwrapReference(value);

  if (Utils.isCollection<object>(target)) {
    return foreignIn(target.getItems(false), schemaName, config);
  }

  if (!Utils.isEntity<object>(target)) {
    return undefined;
  }

  const schema = foreignSchema(target, schemaName, config);

  return schema === undefined ? undefined : { entity: target, schemaName: schema };
}

/** The value of a property. For one of an embeddable it is an array, because there may be an array of embeddables. */
function valueOf(entity: object, meta: EntityMetadata, property: EntityProperty): unknown {
  return property.embedded === undefined
    ? (entity as Record<string, unknown>)[property.name]
    : Utils.unwrapProperty(entity, meta, property).map(([value]) => value);
}

/** The same of one of an embeddable, without an array where there is only one. */
function heldBy(entity: object, meta: EntityMetadata, property: EntityProperty): unknown {
  const [name, inner] = property.embedded ?? [];
  const outer = name === undefined ? undefined : (meta.properties[name as never] as EntityProperty | undefined);

  return inner === undefined || outer === undefined || outer.embedded !== undefined || outer.array === true
    ? valueOf(entity, meta, property)
    : (entity as Readonly<Record<string, Readonly<Record<string, unknown>> | null | undefined>>)[outer.name]?.[inner];
}

// computed once for each entity class
function tenantRelationsOf(meta: EntityMetadata): TenantRelations {
  let relations = tenantRelations.get(meta);

  if (relations === undefined) {
    const all = meta.relations.filter(
      ({ targetMeta, polymorphTargets }) =>
        targetMeta === undefined || [targetMeta, ...(polymorphTargets ?? [])].some(target => isTenantEntity(target.root)),
    );
    const others = meta.relations.filter(property => !all.includes(property));
    relations = { all, others, someInKey: all.some(({ primary }) => primary === true) };
    tenantRelations.set(meta, relations);
  }

  return relations;
}

function propertyName(meta: EntityMetadata, property: EntityProperty): string {
  const path: string[] = [];
  let inner: EntityProperty | undefined = property;

  while (inner?.embedded !== undefined) {
    path.unshift(inner.embedded[1]);
    inner = meta.properties[inner.embedded[0]] as EntityProperty | undefined;
  }

  return [meta.className, inner?.name ?? property.name, ...path].join('.');
}

const tenantRelations = new WeakMap<EntityMetadata, TenantRelations>();

const NONE: readonly object[] = [];

/** The relations of a class that lead to tenants' entities. */
interface TenantRelations {
  readonly all: readonly EntityProperty[];
  /** Those that lead to shared entities. */
  readonly others: readonly EntityProperty[];
  /** Whether one of them is the key, or part of it. */
  readonly someInKey: boolean;
}
