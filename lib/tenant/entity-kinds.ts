import { EntitySchema, MetadataStorage, type EntityMetadata, type EntityName } from '@mikro-orm/core';

/** Whether the entity exists once per tenant. The root says it for every class of an inheritance tree. */
export function isTenantEntity(meta: Pick<EntityMetadata, 'schema'>): boolean {
  return meta.schema === WILDCARD;
}

/**
 * Pins an entity that names no schema to the public one, unless a class it extends names one: MikroORM would let it follow
 * the schema of the `em`, as if it were a tenant's. To be called for each entity before its relations are worked out, as
 * pivot tables and foreign keys take their schema from it.
 */
export function pinToSchema(meta: EntityMetadata, publicSchema: string): void {
  // not by `abstract`: an abstract root of a tree has a table, while a class that only hands down its properties has lost its name
  if (meta.name === undefined || meta.embeddable === true) {
    return;
  }

  meta.schema ??= inheritedSchema(meta) ?? publicSchema;
}

/**
 * Gives the tenant entity the integer key `id` if it has declared none. It cannot be a property of the mixin, as a key of
 * another name in the subclass would then make a composite one.
 */
export function ensurePrimaryKey(meta: EntityMetadata): void {
  if (Object.values<{ readonly primary?: boolean }>(meta.properties).some(property => property.primary === true)) {
    return;
  }

  meta.addProperty({ name: 'id', type: 'integer', runtimeType: 'number', primary: true });
}

// relies on where MikroORM 7 keeps what classes declared: the registry of `defineEntity`, and the symbol of the decorators
function inheritedSchema(meta: EntityMetadata): string | undefined {
  for (let parent = parentOf(meta); parent !== undefined; parent = parentOf(parent)) {
    if (parent.schema !== undefined) {
      return parent.schema;
    }
  }

  return undefined;
}

function parentOf(meta: EntityMetadata): EntityMetadata | undefined {
  if (EntitySchema.is(meta.extends)) {
    return meta.extends.meta;
  }

  for (let parent = Object.getPrototypeOf(meta.class); typeof parent === 'function'; parent = Object.getPrototypeOf(parent)) {
    const found = EntitySchema.REGISTRY.get(parent)?.meta ?? decorated(parent);

    if (found !== undefined && found !== meta && found.className !== meta.className) {
      return found;
    }
  }

  return undefined;
}

function decorated(entity: object): EntityMetadata | undefined {
  return Object.hasOwn(entity, MetadataStorage.META_SYMBOL)
    ? (entity as Record<symbol, EntityMetadata>)[MetadataStorage.META_SYMBOL as symbol]
    : undefined;
}

const WILDCARD = '*';

/** A class or a `defineEntity` schema names an entity, everything else is one. */
export function isName(value: object): value is EntityName<object> & object {
  return typeof value === 'function' || EntitySchema.is(value);
}
