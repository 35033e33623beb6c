import { ReferenceKind, type EntityMetadata, type EntityProperty, type MetadataStorage } from '@mikro-orm/core';
import type { AbstractSqlDriver, AbstractSqlPlatform } from '@mikro-orm/postgresql';
import { CrossTenantError } from '../errors/index.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import type { GuardContext } from '../scope/guard-context.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/**
 * Changes the relations that MikroORM would read without a known tenant. Must be called once all entities are discovered.
 *
 * Relies on MikroORM 7 leaving the inverse side of a 1:1 out of every query that does not request it, if it is `lazy`. Also relies on the
 * platform's `getThroughRelationFormula` being the formula of a `through` relation, and on it creating its query with the config's driver.
 */
export function prepareRelations(storage: MetadataStorage, platform: object): void {
  for (const meta of storage.getAll().values()) {
    for (const property of meta.relations) {
      // a shared entity can be loaded without a tenant, so a query for it must not join a tenant's row
      if (property.kind === ReferenceKind.ONE_TO_ONE && !property.owner && refersToTenantRows(meta, property)) {
        property.lazy = true;
      }

      if (property.through !== undefined) {
        property.formula = (columns, table) => throughFormula(platform as OpenPlatform, property, columns, table.schema);
      }
    }
  }
}

/** Whether a shared entity refers to tenants' rows by this relation. Relations of an embeddable are checked with the entity that contains it. */
export function refersToTenantRows(meta: EntityMetadata, property: EntityProperty): boolean {
  return (
    meta.embeddable !== true && !isTenantEntity(meta.root) && property.targetMeta !== undefined && isTenantEntity(property.targetMeta.root)
  );
}

/**
 * Refuses to load a shared entity's collection of tenants' rows for another tenant than the EntityManager's. The identity map has one instance
 * of the shared entity, so the rows would still be in its collection when another tenant's rows are requested.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function refuseForeignCollections(
  meta: EntityMetadata | undefined,
  populate: readonly PopulateHint[],
  request: CollectionRequest,
): void {
  for (const { field, children } of populate) {
    const property = meta?.properties[field.split(':')[0] as string];

    if (meta === undefined || property?.targetMeta === undefined) {
      continue;
    }

    if (refersToTenantRows(meta, property)) {
      const own = tenantSchema(property.targetMeta.className, request.own, request.scope, request.rules);
      throw CrossTenantError.sharedCollection(`${meta.className}.${property.name}`, [own, request.schema ?? request.rules.publicSchema]);
    }

    refuseForeignCollections(property.targetMeta, children ?? [], request);
  }
}

/** The same for a query builder. Joined rows that it selects are added to the collections of its EntityManager's entities. */
export function refuseForeignCollectionsOfQuery(
  query: CollectingQuery,
  tenantOf: (schema: string | undefined) => string | undefined,
): void {
  const { em, guard, mainAlias, state } = query;

  if (em === undefined || state.populate.length === 0) {
    return;
  }

  for (const schema of [state.schema, ...Object.values(state.joins).map(join => join.schema)]) {
    const requested = tenantOf(schema);

    if (requested !== undefined && requested !== em.schema) {
      refuseForeignCollections(mainAlias.meta, state.populate, { ...guard, schema: requested, own: em.schema });
    }
  }
}

/**
 * The options with the EntityManager's own schema in place of a shared entity's. To refresh a shared entity, or to load its collections,
 * MikroORM passes the entity's schema. That is the public one, and does not show which tenant's rows are wanted.
 */
export function withTenantSchema<Options extends { readonly schema?: string | undefined }>(
  meta: EntityMetadata | undefined,
  options: Options,
  own: string | undefined,
): Options {
  const isShared = meta !== undefined && !isTenantEntity(meta.root);

  return isShared && options.schema !== undefined && options.schema === meta.schema ? { ...options, schema: own } : options;
}

/** The tenant entities whose tables refer to a shared table by foreign keys, directly or through other shared tables. */
export function tenantEntitiesReferringTo(
  meta: EntityMetadata,
  storage: MetadataStorage,
  seen = new Set<EntityMetadata>(),
): EntityMetadata[] {
  if (seen.has(meta.root)) {
    return [];
  }

  seen.add(meta.root);
  const referring = [...storage.getAll().values()].filter(other => other.relations.some(property => refersTo(property, meta)));

  return referring.flatMap(other => (isTenantEntity(other.root) ? [other] : tenantEntitiesReferringTo(other, storage, seen)));
}

function refersTo({ kind, owner, targetMeta }: EntityProperty, meta: EntityMetadata): boolean {
  return (kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && owner)) && targetMeta?.root === meta.root;
}

// the sub-query has no EntityManager, so it gets the schema of the formula's table
function throughFormula(platform: OpenPlatform, property: EntityProperty, columns: object, schema: string | undefined): string {
  const driver = platform.config.getDriver();
  const createQueryBuilder = (...args: Parameters<AbstractSqlDriver['createQueryBuilder']>): object =>
    driver.createQueryBuilder(...args).withSchema(schema);
  const config = { getDriver: () => Object.create(driver, { createQueryBuilder: { value: createQueryBuilder } }) as AbstractSqlDriver };

  return platform.getThroughRelationFormula.call(Object.create(platform, { config: { value: config } }), property, columns);
}

/** A relation that a query loads, and the relations to load from its targets. */
export interface PopulateHint {
  readonly field: string;
  readonly children?: readonly PopulateHint[];
}

interface CollectingQuery {
  readonly em: { readonly schema: string | undefined } | undefined;
  readonly guard: GuardContext;
  readonly mainAlias: { readonly meta: EntityMetadata };
  readonly state: {
    readonly joins: Readonly<Record<string, { readonly schema?: string }>>;
    readonly populate: readonly PopulateHint[];
    readonly schema?: string;
  };
}

interface CollectionRequest extends GuardContext {
  /** The schema in the options of the call. */
  readonly schema: string | undefined;
  /** The schema of the EntityManager. */
  readonly own: string | undefined;
}

interface OpenPlatform extends Omit<AbstractSqlPlatform, 'config'> {
  readonly config: { getDriver(): AbstractSqlDriver };
  getThroughRelationFormula(this: object, property: object, columns: object): string;
}
