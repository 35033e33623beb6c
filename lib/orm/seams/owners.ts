import {
  ChangeSetPersister,
  Collection,
  Configuration,
  EntityComparator,
  EntityFactory,
  EntityLoader,
  EntityMetadata,
  EntitySchema,
  helper,
  MetadataStorage,
  MikroORM,
  ObjectHydrator,
  QueryHelper,
  RawQueryFragment,
  RequestContext,
  TransactionContext,
  UnitOfWork,
  WrappedEntity,
} from '@mikro-orm/core';
import { Migration, MigrationStorage, Migrator } from '@mikro-orm/migrations';
import {
  AbstractSqlDriver,
  BasePostgreSqlEntityManager,
  DatabaseSchema,
  NativeQueryBuilder,
  QueryBuilder,
  QueryBuilderHelper,
  SqlSchemaGenerator,
} from '@mikro-orm/postgresql';
import type { ProbeEm, ProbeWorld } from './probe-world.js';

/** What has the members that the register names, by the names of owners. */
export type Owners = Readonly<Record<string, object | undefined>>;

/** The owners that are there before an ORM is: prototypes, classes, and what a driver is made with. */
export function ownersOf(driver: AnyDriver): Owners {
  return {
    EntityManager: BasePostgreSqlEntityManager.prototype,
    SqlEntityManager: BasePostgreSqlEntityManager.prototype,
    QueryBuilder: QueryBuilder.prototype,
    QueryBuilderHelper: QueryBuilderHelper.prototype,
    NativeQueryBuilder: NativeQueryBuilder.prototype,
    RawQueryFragment: RawQueryFragment.prototype,
    AbstractSqlDriver: officialDriverOf(driver).prototype,
    Platform: Object.getPrototypeOf(driver.getPlatform()) as object,
    AbstractSqlConnection: Object.getPrototypeOf(driver.getConnection('write')) as object,
    UnitOfWork: UnitOfWork.prototype,
    ChangeSetPersister: ChangeSetPersister.prototype,
    Collection: Collection.prototype,
    EntityFactory: EntityFactory.prototype,
    EntityLoader: EntityLoader.prototype,
    EntityMetadata: EntityMetadata.prototype,
    EntityComparator: EntityComparator.prototype,
    WrappedEntity: WrappedEntity.prototype,
    Hydrator: ObjectHydrator.prototype,
    QueryHelper,
    RequestContext,
    TransactionContext,
    Configuration: Configuration.prototype,
    MikroORM: MikroORM.prototype,
    EntitySchema,
    MetadataStorage,
    SqlSchemaGenerator: SqlSchemaGenerator.prototype,
    DatabaseSchema,
    'DatabaseSchema.prototype': DatabaseSchema.prototype,
    Migrator: Migrator.prototype,
    MigrationStorage: MigrationStorage.prototype,
    Migration: Migration.prototype,
  };
}

/** What of these shows on objects, and is used before there is an ORM. */
export function driverObjectsOf(driver: AnyDriver): Owners {
  return { AbstractSqlDriver: driver, Platform: driver.getPlatform(), AbstractSqlConnection: driver.getConnection('write') };
}

/** The pool of `pg` and what Kysely makes of it, as MikroORM makes them and without the guards. */
export function poolOwnersOf(world: ProbeWorld): Owners {
  const owners = poolOwners.get(world) ?? makePool(world);
  poolOwners.set(world, owners);

  return owners;
}

function makePool({ orm, database }: ProbeWorld): Owners {
  const connection = orm.driver.getConnection('write');
  const { createKyselyDialect }: ProbeEm = Object.getPrototypeOf(connection);
  const { pglite }: ProbeEm = database.driverOptions;
  let pool: ProbeEm;
  const onPoolCreated = (created: unknown): void => void (pool = created);
  const dialect: ProbeEm = createKyselyDialect.call(connection, { pglite, onPoolCreated });

  return {
    KyselyDialect: dialect,
    KyselyDriver: tryTo(() => dialect.createDriver()),
    KyselyExecutor: tryTo(() => (connection as ProbeEm).getClient().getExecutor()),
    ...(pool === undefined ? {} : { Pool: pool, Client: tryTo(() => new pool.Client({})) }),
  };
}

const poolOwners = new WeakMap<ProbeWorld, Owners>();

/** The owners that show on the objects of an ORM. */
export function liveOwnersOf(world: ProbeWorld): Owners {
  const { orm, em, entities } = world;

  return {
    ...poolOwnersOf(world),
    EntityManager: em,
    Query: tryTo(() => em.qb(entities.Topic).withSchema('public')),
    WrappedEntity: tryTo(() => helper(em.merge(entities.Topic, { id: 1, name: 'x' }) as object)),
    EntityMetadata: orm.getMetadata().get(entities.Topic.meta.class),
    Kysely: tryTo(() => (orm.driver.getConnection('write') as ProbeEm).getClient()),
    Migration: new (Migration as ProbeEm)(orm.driver, orm.config),
  };
}

// where it cannot be made, the probes tell why
function tryTo(make: () => object): object | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** The driver class of MikroORM's own that a driver is, or was made of by a user. What a user's does beside is not asked for by the probes. */
export function officialDriverOf(driver: AnyDriver): new (...args: any[]) => AbstractSqlDriver {
  let found = driver.constructor as new (...args: any[]) => AbstractSqlDriver;

  for (let each: unknown = found; typeof each === 'function' && each !== AbstractSqlDriver; each = Object.getPrototypeOf(each)) {
    found = each as typeof found;
  }

  return found;
}

/** Any driver, whatever class it is made of. */
export type AnyDriver = Pick<AbstractSqlDriver, 'getConnection' | 'getPlatform'>;
