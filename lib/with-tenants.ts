import type { EntityManager, EntityManagerType, EntityMetadata, IDatabaseDriver, MetadataStorage, Options } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { BasePostgreSqlEntityManager } from '@mikro-orm/postgresql';
import { checkConfig, checkEntities } from './tenant/config-check.js';
import { addTrigger } from './database/change-trigger.js';
import { TenantConfigError } from './errors/index.js';
import { createPublicSchemaGenerator } from './migrations/set/public-schema-generator.js';
import { resolveOptions, type AnyConfig, type ResolvedTenantsOptions, type TenantsOptions } from './tenant/options.js';
import { ensurePrimaryKey, pinToSchema } from './tenant/entity-kinds.js';
import { keepFromScopes } from './orm/public-extensions.js';
import { contextOfScopes } from './orm/mikro-context.js';
import { giveSeederOfScope } from './orm/scoped-seeder.js';
import { guardConditions, withGuardedConditions } from './entities/filter-conditions.js';
import { prepareRelations } from './entities/shared-relations.js';
import { extendDriver } from './orm/tenant-driver.js';
import { extendEntityManager } from './orm/tenant-entity-manager.js';
import { extendHydrator } from './entities/tenant-hydrator.js';
import { TenantSubscriber } from './provisioning/tenant-subscriber.js';
import { TenantDatabase } from './database/tenant-database.js';
import { TenantRules } from './scope/tenant-rules.js';
import type { TenantEntityManagerMethods, WrappedOrm } from './scope/wrapped-orm.js';
import { Tenancy } from './tenancy.js';
import type { TenantMixin } from './tenant/tenant-mixin.js';

/**
 * Wraps a MikroORM config for the PostgreSQL or PGlite driver. Each tenant's data is stored in a schema of its own, everything else in the
 * public one. All other settings of the config are kept.
 *
 * @throws TenantConfigError `TENANT_CONFIG` with all problems at once. Options are checked here, entities when the ORM is initialised.
 */
export function withTenants<
  Driver extends IDatabaseDriver,
  Em extends Driver[typeof EntityManagerType] & EntityManager<Driver>,
  Entities extends Options['entities'],
  Tenant extends TenantMixin<unknown>,
>(
  config: Partial<Options<Driver, Em, Entities>>,
  options: TenantsOptions<Tenant>,
): Partial<Options<Driver, Em & TenantEntityManagerMethods, Entities>> {
  const problems = checkConfig(config as AnyConfig, options);

  if (problems.length > 0) {
    throw new TenantConfigError(problems);
  }

  const resolved = resolveOptions(options, config.schema);

  return wrap(config as AnyConfig, resolved) as never;
}

function wrap(config: AnyConfig, options: ResolvedTenantsOptions): AnyConfig {
  const extensions = config.extensions ?? [];
  const hasMigrator = extensions.some(extension => (extension as { readonly name?: string }).name === Migrator.name);

  return {
    ...config,
    schema: options.publicSchema,
    driver: extendDriver(config.driver as never),
    entityManager: extendEntityManager((config.entityManager ?? BasePostgreSqlEntityManager) as never),
    hydrator: extendHydrator(config.hydrator),
    ...(config.context === undefined ? {} : { context: contextOfScopes(config.context) }),
    ...(config.filters === undefined ? {} : { filters: withGuardedConditions(config.filters) }),
    subscribers: [...(config.subscribers ?? []), new TenantSubscriber()],
    extensions: [...extensions, ...(hasMigrator ? [] : [Migrator]), tenantsExtension(options)],
    discovery: wrapDiscovery(config.discovery ?? {}, options),
    migrations: {
      ...config.migrations,
      // the snapshot of the public set would contain every tenant's schema, and the next migration would drop them
      snapshotOnMigrate: false,
      includeWildcardSchema: false,
    },
  };
}

// `new MikroORM()` does not await these hooks, so they return a promise only if the user's hook does
function wrapDiscovery(discovery: Discovery, options: ResolvedTenantsOptions): Discovery {
  const { onMetadata, afterDiscovered } = discovery;

  return {
    ...discovery,
    onMetadata: (meta, platform) => after(onMetadata?.(meta, platform), () => prepare(meta, options)),
    afterDiscovered: (storage, platform) => after(afterDiscovered?.(storage, platform), () => finishDiscovery(storage, platform, options)),
  };
}

function prepare(meta: EntityMetadata, { publicSchema, tenant }: ResolvedTenantsOptions): void {
  pinToSchema(meta, publicSchema);

  if (meta.class === tenant) {
    ensurePrimaryKey(meta);
  }
}

/** Prepares the entities of `orm.discoverEntity()`, for which MikroORM 7 calls no hook. */
function prepareLateEntities(orm: WrappedOrm, options: ResolvedTenantsOptions): void {
  const discoverEntity = orm.discoverEntity.bind(orm);

  orm.discoverEntity = (...args) => {
    discoverEntity(...args);
    const storage = orm.getMetadata();

    for (const meta of storage.getAll().values()) {
      pinToSchema(meta, options.publicSchema);
    }

    finishDiscovery(storage, orm.config.getPlatform(), options);
  };
}

/** The part of the preparation that needs all entities. */
function finishDiscovery(storage: MetadataStorage, platform: object, options: ResolvedTenantsOptions): void {
  const problems = checkEntities(storage, options);

  if (problems.length > 0) {
    throw new TenantConfigError(problems);
  }

  prepareRelations(storage, platform);
  [...storage.getAll().values()].forEach(({ filters }) => guardConditions(filters));

  if (options.directory.trigger) {
    addTrigger(storage, storage.get(options.tenant), options.publicSchema);
  }
}

function after(first: void | Promise<unknown>, then: () => void): void | Promise<void> {
  return first instanceof Promise ? first.then(then) : then();
}

function tenantsExtension(options: ResolvedTenantsOptions): { register(orm: any): void } {
  return class TenantsExtension {
    static register(orm: WrappedOrm): void {
      const rules = new TenantRules(orm, options);
      const database = new TenantDatabase(orm, rules);
      const tenancy = new Tenancy(database);
      orm.config.registerExtension(TenantRules.EXTENSION, () => rules);
      orm.config.registerExtension(TenantDatabase.EXTENSION, () => database);
      orm.config.registerExtension(Tenancy.EXTENSION, () => tenancy);
      giveSeederOfScope(orm);
      orm.config.registerExtension('@mikro-orm/schema-generator', () => createPublicSchemaGenerator(database));
      keepFromScopes(rules, ['@mikro-orm/migrator', '@mikro-orm/schema-generator']);
      prepareLateEntities(orm, options);
    }
  };
}

type Discovery = NonNullable<AnyConfig['discovery']>;
