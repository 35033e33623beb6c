import {
  MikroORM,
  ObjectHydrator,
  type AnyEntity,
  type Configuration,
  type EntityClass,
  type EntityManager,
  type EntityManagerType,
  type EntityMetadata,
  type EntitySchema,
  type EventManager,
  type IDatabaseDriver,
  type MetadataStorage,
  type Options,
  type Platform,
} from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { checkConfig, checkEntities } from './tenant/config-check.js';
import { watchNodes } from './database/citus/placements.js';
import { addTrigger } from './database/change-trigger.js';
import { addDomainTriggers } from './database/domain-triggers.js';
import { TenantConfigError } from './errors/index.js';
import { MIGRATION_PROBES } from './migrations/run/seam-probes.js';
import { createPublicSchemaGenerator } from './migrations/set/public-schema-generator.js';
import { namePublicSnapshot } from './migrations/set/snapshot-name.js';
import { resolveOptions, type AnyConfig, type ResolvedTenantsOptions, type TenantsOptions } from './tenant/options.js';
import { replacedSettings } from './tenant/replaced-settings.js';
import { ensureTenantRelation } from './tenant/domain-entity.js';
import { ensurePrimaryKey, pinToSchema } from './tenant/entity-kinds.js';
import { guardExtensions } from './orm/public-extensions.js';
import { tellFailures } from './orm/tenant-hooks.js';
import { MIGRATOR, SCHEMA_GENERATOR } from './orm/refuse-tenant-tables.js';
import { contextOfScopes } from './orm/mikro-context.js';
import { entityManagerOf } from './orm/entity-manager-class.js';
import { giveSeederOfScope } from './orm/scoped-seeder.js';
import { guardConditions, withGuardedConditions } from './entities/filter-conditions.js';
import { prepareRelations } from './entities/shared-relations.js';
import { guardPropertyFunctions } from './entities/property-functions.js';
import { guardExpression } from './entities/virtual-expressions.js';
import { guardedDriverOf, guardedEntityManagerOf, guardedHydratorOf } from './orm/guarded-classes.js';
import { checkSeams } from './orm/seams/check-seams.js';
import { gateOf, sendNothingBefore } from './connection/pool/start-gate.js';
import { nameOwnTables } from './tenant/table-names.js';
import { DomainSubscriber } from './provisioning/domain-subscriber.js';
import { FlushSubscriber, TenantSubscriber } from './provisioning/tenant-subscriber.js';
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
  // `Options['entities']` is the default, an array that can be changed; MikroORM's own functions take any
  Entities extends readonly (string | EntityClass<AnyEntity> | EntitySchema)[],
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

  return wrap(config as AnyConfig, resolved, checkedWhenStarted) as never;
}

function wrap(config: AnyConfig, options: ResolvedTenantsOptions, onStart: (orm: WrappedOrm) => void): AnyConfig {
  const classes: TenantClasses = new Set();
  const wrapped: AnyConfig = {
    ...config,
    schema: options.publicSchema,
    // MikroORM would generate the entities of each tenant's tables
    entityGenerator: { schema: options.publicSchema, ...config.entityGenerator },
    driver: guardedDriverOf(config.driver as never),
    entityManager: guardedEntityManagerOf((config.entityManager ?? entityManagerOf(config.driver)) as never),
    hydrator: guardedHydratorOf(config.hydrator ?? ObjectHydrator),
    ...(config.context === undefined ? {} : { context: contextOfScopes(config.context) }),
    ...(config.filters === undefined ? {} : { filters: withGuardedConditions(config.filters) }),
    subscribers: [...(config.subscribers ?? []), new FlushSubscriber(), new TenantSubscriber(classes), ...domainSubscribers(options)],
    // the user's own migrator comes later, and replaces MikroORM's
    extensions: [
      Migrator,
      ...(config.extensions ?? []),
      tenantsExtension(options, classes, orm => {
        refuseReplaced(orm, wrapped);
        onStart(orm);
      }),
    ],
    discovery: wrapDiscovery(config.discovery ?? {}, options, classes),
    migrations: {
      ...config.migrations,
      // the snapshot of the public set would contain every tenant's schema, and the next migration would drop them
      snapshotOnMigrate: false,
      includeWildcardSchema: false,
    },
  };

  return wrapped;
}

function refuseReplaced({ config }: WrappedOrm, wrapped: AnyConfig): void {
  const problems = replacedSettings(config, wrapped);

  if (problems.length > 0) {
    throw new TenantConfigError(problems);
  }
}

function domainSubscribers({ domains }: ResolvedTenantsOptions): DomainSubscriber[] {
  return domains === undefined ? [] : [new DomainSubscriber(domains)];
}

// `new MikroORM()` does not await these hooks, so they return a promise only if the user's hook does
function wrapDiscovery(discovery: Discovery, options: ResolvedTenantsOptions, classes: TenantClasses): Discovery {
  const { onMetadata, afterDiscovered } = discovery;

  return {
    ...discovery,
    onMetadata: (meta, platform) => after(onMetadata?.(meta, platform), () => prepare(meta, options)),
    afterDiscovered: (storage, platform) =>
      after(afterDiscovered?.(storage, platform), () => {
        finishDiscovery(storage, platform, options);
        tenantClassesOf(storage, options).forEach(each => classes.add(each));

        return seamsChecked(platform);
      }),
  };
}

/** Looks at what the guards rely on. The ORM sends nothing until all has been seen. */
function checkedWhenStarted(orm: WrappedOrm): void {
  const pending = checkSeams(orm.driver, { open: openProbe, probes: MIGRATION_PROBES });

  if (pending !== undefined) {
    sendNothingBefore(orm.config, pending);
    pending.catch((error: unknown) => refuseToWork(orm, error));
  }
}

function seamsChecked(platform: Platform): Promise<void> | undefined {
  const config = platform.getConfig();

  return isAwaited(config) ? gateOf(config) : undefined;
}

/** Whether the ORM is made by `MikroORM.init()`. `new MikroORM()` can wait for nothing. */
function isAwaited(config: Configuration): boolean {
  return config.get('discovery').skipSyncDiscovery === true;
}

/** For an ORM that was made before it was seen that it cannot work. */
function refuseToWork(orm: WrappedOrm, error: unknown): void {
  if (!isAwaited(orm.config)) {
    orm.config.get('logger')(String(error));
  }

  Object.defineProperty(orm, 'em', {
    get: () => {
      throw error;
    },
  });
}

/** An ORM that is made as the users' are, for a look at what theirs rely on. */
export function openProbe(config: AnyConfig, tenant: TenantsOptions['tenant']): WrappedOrm {
  // nothing but the probes is asked of its database
  const options = resolveOptions({ tenant, citus: false }, undefined);

  return new MikroORM(wrap(config, options, () => undefined) as never) as unknown as WrappedOrm;
}

function prepare(meta: EntityMetadata, { publicSchema, tenant, domains }: ResolvedTenantsOptions): void {
  pinToSchema(meta, publicSchema);
  nameOwnTables(meta);

  if (meta.class === tenant || (domains !== undefined && meta.class === domains)) {
    ensurePrimaryKey(meta);
  }

  if (domains !== undefined && meta.class === domains) {
    ensureTenantRelation(meta, tenant);
  }
}

/** Prepares the entities of `orm.discoverEntity()`, for which MikroORM 7 calls no hook. */
function prepareLateEntities(orm: WrappedOrm, options: ResolvedTenantsOptions, classes: TenantClasses): void {
  const discoverEntity = orm.discoverEntity.bind(orm);

  orm.discoverEntity = (...args) => {
    discoverEntity(...args);
    const storage = orm.getMetadata();

    for (const meta of storage.getAll().values()) {
      pinToSchema(meta, options.publicSchema);
    }

    finishDiscovery(storage, orm.config.getPlatform(), options);
    const late = tenantClassesOf(storage, options).filter(each => !classes.has(each));

    if (late.length > 0) {
      late.forEach(each => classes.add(each));
      askAgain(orm.em.getEventManager());
    }
  };
}

/** An event manager asks a subscriber for its classes once, when it is registered. */
function askAgain(events: EventManager): void {
  const subscribers = events.getSubscribers();

  for (const subscriber of subscribers) {
    if (subscriber instanceof TenantSubscriber) {
      subscribers.delete(subscriber);
      events.registerSubscriber(subscriber);
      return;
    }
  }
}

/** The classes of the tenants' inheritance tree. */
function tenantClassesOf(storage: MetadataStorage, { tenant }: ResolvedTenantsOptions): EntityClass<TenantMixin<unknown>>[] {
  const root = storage.find(tenant)?.root.class;

  return [...storage.getAll().values()].flatMap(meta => (root !== undefined && meta.root.class === root ? [meta.class as never] : []));
}

/** The part of the preparation that needs all entities. */
function finishDiscovery(storage: MetadataStorage, platform: Platform, options: ResolvedTenantsOptions): void {
  // `mikro-orm generate-entities` opens an ORM without any
  if (storage.getAll().size === 0 && platform.getConfig().get('discovery').warnWhenNoEntities === false) {
    return;
  }

  const problems = checkEntities(storage, options);

  if (problems.length > 0) {
    throw new TenantConfigError(problems);
  }

  prepareRelations(storage, platform);
  [...storage.getAll().values()].forEach(meta => {
    guardConditions(meta.filters);
    guardExpression(meta);
    guardPropertyFunctions(meta);
  });

  if (options.directory.trigger) {
    addTrigger(storage, storage.get(options.tenant), options.publicSchema);
  }

  if (options.domains !== undefined) {
    addDomainTriggers({ ...options, domains: storage.get(options.domains), tenant: storage.get(options.tenant) });
  }
}

function after(first: void | Promise<unknown>, then: () => void | Promise<void>): void | Promise<void> {
  return first instanceof Promise ? first.then(then) : then();
}

function tenantsExtension(
  options: ResolvedTenantsOptions,
  classes: TenantClasses,
  onStart: (orm: WrappedOrm) => void,
): { register(orm: any): void } {
  return class TenantsExtension {
    static register(orm: WrappedOrm): void {
      onStart(orm);
      const rules = new TenantRules(orm, options);
      const database = new TenantDatabase(orm, rules);
      const tenancy = new Tenancy(database);
      tellFailures(database);
      orm.config.registerExtension(TenantRules.EXTENSION, () => rules);
      orm.config.registerExtension(TenantDatabase.EXTENSION, () => database);
      orm.config.registerExtension(Tenancy.EXTENSION, () => tenancy);
      watchNodes(database);
      giveSeederOfScope(orm);
      namePublicSnapshot(orm.config);
      orm.config.registerExtension(SCHEMA_GENERATOR, () => createPublicSchemaGenerator(database));
      guardExtensions(rules, [MIGRATOR, SCHEMA_GENERATOR]);
      prepareLateEntities(orm, options, classes);
    }
  };
}

type Discovery = NonNullable<AnyConfig['discovery']>;

type TenantClasses = Set<EntityClass<TenantMixin<unknown>>>;
