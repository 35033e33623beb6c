import { helper, Utils, type EntityMetadata, type UnitOfWork } from '@mikro-orm/core';
import { leadsToTenants } from './shared-relations.js';

/**
 * Says which tenant new rows are of that stand in a collection of a shared entity. MikroORM takes the collection's owner for what says it,
 * which is in the public schema. To be called before a flush looks for what is new.
 */
export function assignSchemaToNewItems(uow: UnitOfWork, schemaName: string | undefined): void {
  if (schemaName === undefined) {
    return;
  }

  for (const entities of [uow.getIdentityMap(), uow.getPersistStack()] as readonly Iterable<object>[]) {
    for (const entity of entities) {
      for (const name of collectionsOf(helper(entity).__meta)) {
        const collection = (entity as Record<string, unknown>)[name];

        for (const item of Utils.isCollection(collection) ? collection.getItems(false) : []) {
          // what has a schema was put there on purpose, and is checked
          helper(item).__schema ??= schemaName;
        }
      }
    }
  }
}

function collectionsOf(meta: EntityMetadata): readonly string[] {
  let names = known.get(meta);

  if (names === undefined) {
    names = meta.relations.filter(property => leadsToTenants(meta, property)).map(({ name }) => name);
    known.set(meta, names);
  }

  return names;
}

const known = new WeakMap<EntityMetadata, readonly string[]>();
