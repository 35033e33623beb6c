import type { Table } from './cell.ts';
import { ENTITY_MANAGER } from './entity-manager.ts';
import { BASE_ENTITY, COLLECTION, ENTITY_LOADER, REFERENCE, SCALAR_REFERENCE, withDataloader, WRAPPED_ENTITY } from './loaded.ts';
import { QUERY_BUILDER } from './query-builder.ts';
import { REPOSITORY } from './repository.ts';
import { FACTORY, SEED_MANAGER, SEEDER } from './seeder.ts';

/** The tables of the matrix, each under the class whose methods it names. */
export const TABLES: Readonly<Record<string, Table>> = {
  EntityManager: ENTITY_MANAGER,
  EntityRepository: REPOSITORY,
  QueryBuilder: QUERY_BUILDER,
  Collection: { ...COLLECTION, ...withDataloader(COLLECTION) },
  Reference: { ...REFERENCE, ...withDataloader(REFERENCE) },
  ScalarReference: SCALAR_REFERENCE,
  WrappedEntity: WRAPPED_ENTITY,
  BaseEntity: BASE_ENTITY,
  EntityLoader: ENTITY_LOADER,
  SeedManager: SEED_MANAGER,
  Seeder: SEEDER,
  Factory: FACTORY,
};
