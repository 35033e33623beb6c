import { EntitySchema, MetadataStorage, type EntityMetadata, type EntityName } from '@mikro-orm/core';

/** Whether the entity exists once per tenant. In an inheritance tree, pass the root. */
export function isTenantEntity(meta: Pick<EntityMetadata, 'schema'>): boolean {
  return meta.schema === WILDCARD;
}

/** What every entity has by its class. `helper()` of an entity asks it for the same, so whoever asks often asks the entity. */
export interface OfClass {
  readonly __meta: EntityMetadata;
}

/** The number of tables that each tenant has, without its history of migrations. */
export function countTenantTables(storage: MetadataStorage): number {
  const withTable = [...storage.getAll().values()].filter(
    meta => isTenantEntity(meta) && meta.embeddable !== true && meta.virtual !== true,
  );

  return new Set(withTable.map(meta => meta.tableName)).size;
}

/**
 * Pins an entity without a schema to the public schema, unless one of its base classes names a schema. Otherwise MikroORM would let it
 * follow the schema of the `em`, like a tenant entity. Call this for each entity before its relations are resolved: pivot tables and
 * foreign keys take their schema from it.
 */
export function pinToSchema(meta: EntityMetadata, publicSchema: string): void {
  // `abstract` does not tell: the abstract root of an inheritance tree has a table. A mere base class has no name at this point
  if (meta.name === undefined || meta.embeddable === true) {
    return;
  }

  meta.schema ??= inheritedSchema(meta) ?? publicSchema;
}

/**
 * Gives the tenant entity the integer key `id` if it declares no key. The mixin cannot declare it: together with a key of another name
 * in the subclass, it would become a composite key.
 */
export function ensurePrimaryKey(meta: EntityMetadata): void {
  if (Object.values<{ readonly primary?: boolean }>(meta.properties).some(property => property.primary === true)) {
    return;
  }

  meta.addProperty({ name: 'id', type: 'integer', runtimeType: 'number', primary: true });
}

// relies on where MikroORM 7 stores declarations: the registry of `defineEntity`, and the symbol that the decorators use
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
    const found = EntitySchema.REGISTRY.get(parent)?.meta ?? decoratorMetadataOf(parent);

    if (found !== undefined && found !== meta && found.className !== meta.className) {
      return found;
    }
  }

  return undefined;
}

function decoratorMetadataOf(entity: object): EntityMetadata | undefined {
  return Object.hasOwn(entity, MetadataStorage.META_SYMBOL)
    ? (entity as Record<symbol, EntityMetadata>)[MetadataStorage.META_SYMBOL as symbol]
    : undefined;
}

const WILDCARD = '*';

/**
 * Whether the value names an entity: a class or a `defineEntity` schema, or the name of a class as text, which MikroORM's types refuse and its methods
 * take. Any other object is an entity itself.
 */
export function isName(value: object): value is EntityName<object> & object {
  return typeof value === 'function' || typeof (value as unknown) === 'string' || EntitySchema.is(value);
}
