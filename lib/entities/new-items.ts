import { helper, Utils, type EntityManager, type EntityMetadata, type UnitOfWork } from '@mikro-orm/core';
import { onceForEntities } from '../tenant/once-for-entities.js';
import { refersToTenantRows } from './shared-relations.js';

/**
 * Sets the tenant's schema on new entities in a collection of a shared entity. MikroORM would give them the schema of the collection's owner,
 * which is the public one. Must be called before a flush collects the new entities.
 */
export function assignSchemaToNewItems(uow: UnitOfWork, em: EntityManager): void {
  const schemaName = em.schema;

  // few applications have such a collection, and every flush comes here
  if (schemaName === undefined || !hasCollections(em.getMetadata())) {
    return;
  }

  for (const entities of [uow.getIdentityMap(), uow.getPersistStack()] as readonly Iterable<object>[]) {
    for (const entity of entities) {
      for (const name of collectionsOf(helper(entity).__meta)) {
        const collection = (entity as Record<string, unknown>)[name];

        for (const item of Utils.isCollection(collection) ? collection.getItems(false) : []) {
          // an item that already has a schema is checked by the flush guard
          helper(item).__schema ??= schemaName;
        }
      }
    }
  }
}

const hasCollections = onceForEntities(metas => metas.some(meta => collectionsOf(meta).length > 0));

function collectionsOf(meta: EntityMetadata): readonly string[] {
  let names = known.get(meta);

  if (names === undefined) {
    names = meta.relations.filter(property => refersToTenantRows(meta, property)).map(({ name }) => name);
    known.set(meta, names);
  }

  return names;
}

const known = new WeakMap<EntityMetadata, readonly string[]>();
