import { helper, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';

/**
 * Takes a tenant's entity out of an identity map that may have other tenants' entities too. MikroORM takes it out of whatever refers to it, and of
 * what holds a key alone it compares the key alone. Another tenant's entity that has that key would lose what it refers to, also in the database.
 */
export function removeOfTenant(entity: object, schema: string, map: StoreOfEntities, remove: () => void): void {
  const held = keysOfOthers(helper(entity).__meta, schema, map);
  const outer = removedSchema;
  removedSchema = schema;

  try {
    remove();
  } finally {
    removedSchema = outer;
    held.forEach(({ referring, name, key }) => {
      referring[name] = key;
    });
  }
}

/** Whose entity is being taken out. MikroORM makes references of keys meanwhile, and removes what has the key in its own one. */
export function schemaOfRemoved(): string | undefined {
  return removedSchema;
}

/** No work is interleaved with a removal. */
let removedSchema: string | undefined;

function keysOfOthers(meta: EntityMetadata, schema: string, map: StoreOfEntities): HeldKey[] {
  return meta.referencingProperties
    .filter(({ prop }) => prop.mapToPk === true && prop.primary !== true)
    .flatMap(({ meta: referringMeta, prop: { name } }) =>
      [...map.getStore(referringMeta).values()]
        .filter(referring => helper(referring).__schema !== schema)
        .map(referring => ({ referring: referring as Record<string, unknown>, name, key: (referring as Record<string, unknown>)[name] })),
    );
}

interface HeldKey {
  readonly referring: Record<string, unknown>;
  readonly name: EntityProperty['name'];
  readonly key: unknown;
}

interface StoreOfEntities {
  getStore(meta: EntityMetadata): ReadonlyMap<string, object>;
}
