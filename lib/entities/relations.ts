import { helper, Reference, Utils, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';
import { currentScope } from '../scope/scope.js';
import { isSameTenant } from '../scope/tenant-identity.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';

/** A tenant entity that another one refers to, and by which property. */
export interface Referred {
  readonly entity: object;
  /** As it reads in a message: `Book.author`, or `Book.imprint.editor` where an embeddable holds it. */
  readonly property: string;
  readonly schemaName: string;
}

/**
 * What an entity refers to that is not of the given tenant, one step far: its foreign keys, those of its embeddables too, and what
 * its collections hold, loaded or added. What has no schema yet is new, or a bare key, and will be of the tenant it is stored in.
 */
export function firstForeign(entity: object, schemaName: string): Referred | undefined {
  const { __meta: meta } = helper(entity);

  for (const property of tenantRelationsOf(meta)) {
    const found = foreignIn(valueOf(entity, meta, property), schemaName);

    if (found !== undefined) {
      return { ...found, property: propertyName(meta, property) };
    }
  }

  return undefined;
}

/** The property of the entity that leads to `target`, as it reads in a message. */
export function propertyTo(entity: object, target: object): string | undefined {
  const { __meta: meta } = helper(entity);
  const found = tenantRelationsOf(meta).find(property =>
    [valueOf(entity, meta, property)].flat().some(value => entitiesOf(value).includes(target)),
  );

  return found === undefined ? undefined : propertyName(meta, found);
}

/** The schema of a tenant entity, if it has one and that is not the given one, or was another tenant's when the entity was loaded. */
export function foreignSchema(entity: object, schemaName: string): string | undefined {
  const { __meta: meta, __schema: schema, __em: em } = helper(entity);

  return schema !== undefined && (schema !== schemaName || isOfFormer(em)) && isTenantEntity(meta.root) ? schema : undefined;
}

/** Whether the EntityManager is of whoever had the name of the scope's tenant before it. */
function isOfFormer(em: ScopedEm | undefined): boolean {
  const bound = em?.boundScope;

  if (bound?.kind !== 'tenant') {
    return false;
  }

  const scope = currentScope(bound.config);

  return scope?.kind === 'tenant' && scope.schemaName === bound.schemaName && !isSameTenant(scope.identity, bound.identity);
}

/** The entities in the value of a relation: a reference's, a collection's, or the entity itself. */
export function entitiesOf(value: unknown): readonly object[] {
  const target: unknown = Reference.unwrapReference(value as object);

  return Utils.isCollection(target) ? target.getItems(false) : Utils.isEntity<object>(target) ? [target] : NONE;
}

// a flush asks for each relation of each of its entities, and most hold nothing: no array is made for those
function foreignIn(value: unknown, schemaName: string): Omit<Referred, 'property'> | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }

  if (Array.isArray(value)) {
    return value.map(item => foreignIn(item, schemaName)).find(found => found !== undefined);
  }

  const target: unknown = Reference.unwrapReference(value);

  if (Utils.isCollection<object>(target)) {
    return foreignIn(target.getItems(false), schemaName);
  }

  if (!Utils.isEntity<object>(target)) {
    return undefined;
  }

  const schema = foreignSchema(target, schemaName);

  return schema === undefined ? undefined : { entity: target, schemaName: schema };
}

/** What a relation holds: one value, or in an array those of an embeddable, which may itself be one of several. */
function valueOf(entity: object, meta: EntityMetadata, property: EntityProperty): unknown {
  return property.embedded === undefined
    ? (entity as Record<string, unknown>)[property.name]
    : Utils.unwrapProperty(entity, meta, property).map(([value]) => value);
}

// worked out once for each entity class
function tenantRelationsOf(meta: EntityMetadata): readonly EntityProperty[] {
  let relations = tenantRelations.get(meta);

  if (relations === undefined) {
    relations = meta.relations.filter(
      ({ targetMeta, polymorphTargets }) =>
        targetMeta === undefined || [targetMeta, ...(polymorphTargets ?? [])].some(target => isTenantEntity(target.root)),
    );
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

const tenantRelations = new WeakMap<EntityMetadata, readonly EntityProperty[]>();

const NONE: readonly object[] = [];
