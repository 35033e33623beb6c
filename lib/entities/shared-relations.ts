import { ReferenceKind, type EntityMetadata, type EntityProperty, type MetadataStorage } from '@mikro-orm/core';
import type { AbstractSqlDriver, AbstractSqlPlatform } from '@mikro-orm/postgresql';
import { CrossTenantError } from '../errors/index.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import type { GuardContext } from '../scope/guard-context.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/**
 * Readies the relations that MikroORM would read where no tenant is known. To be called once all entities are discovered.
 *
 * Relies on MikroORM 7's `lazy` keeping the inverse side of a 1:1 out of every query that does not ask for it, and on the formula of
 * a `through` relation being the platform's `getThroughRelationFormula`, which asks the driver of the config for a query.
 */
export function prepareRelations(storage: MetadataStorage, platform: object): void {
  for (const meta of storage.getAll().values()) {
    for (const property of meta.relations) {
      // a shared entity is found without any tenant, so not together with a tenant's row that refers to it
      if (property.kind === ReferenceKind.ONE_TO_ONE && !property.owner && leadsToTenants(meta, property)) {
        property.lazy = true;
      }

      if (property.through !== undefined) {
        property.formula = (columns, table) => throughFormula(platform as OpenPlatform, property, columns, table.schema);
      }
    }
  }
}

/** Whether the relation is one from a shared entity to tenants' rows. An embeddable is of the entity that holds it. */
export function leadsToTenants(meta: EntityMetadata, property: EntityProperty): boolean {
  return (
    meta.embeddable !== true && !isTenantEntity(meta.root) && property.targetMeta !== undefined && isTenantEntity(property.targetMeta.root)
  );
}

/**
 * Refuses to load a shared entity's collection of tenants' rows for another tenant than the EntityManager's own: a shared entity is one
 * for all of them, so the rows would stay in its collection when the next tenant is asked for.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` or CrossTenantError `CROSS_TENANT`
 */
export function refuseForeignCollections(meta: EntityMetadata | undefined, populate: readonly PopulateHint[], asked: Asked): void {
  for (const { field, children } of populate) {
    const property = meta?.properties[field.split(':')[0] as string];

    if (meta === undefined || property?.targetMeta === undefined) {
      continue;
    }

    if (leadsToTenants(meta, property)) {
      const own = tenantSchema(property.targetMeta.className, asked.own, asked.scope, asked.rules);
      throw CrossTenantError.sharedCollection(`${meta.className}.${property.name}`, [own, asked.wanted ?? asked.rules.publicSchema]);
    }

    refuseForeignCollections(property.targetMeta, children ?? [], asked);
  }
}

/** The same for a query builder: what it selects of joined rows ends in the collections of its EntityManager's entities. */
export function refuseForeignCollectionsOfQuery(query: CollectingQuery, tenantOf: (asked: string | undefined) => string | undefined): void {
  const { em, guard, mainAlias, state } = query;

  if (em === undefined || state.populate.length === 0) {
    return;
  }

  for (const asked of [state.schema, ...Object.values(state.joins).map(({ schema }) => schema)]) {
    const wanted = tenantOf(asked);

    if (wanted !== undefined && wanted !== em.schema) {
      refuseForeignCollections(mainAlias.meta, state.populate, { ...guard, wanted, own: em.schema });
    }
  }
}

/**
 * The options of the tenant that asks. What refreshes a shared entity, or loads a collection of one, names the schema it is in, which
 * says nothing of whose rows refer to it.
 */
export function withAskingSchema<Options extends { readonly schema?: string | undefined }>(
  meta: EntityMetadata | undefined,
  options: Options,
  own: string | undefined,
): Options {
  const isShared = meta !== undefined && !isTenantEntity(meta.root);

  return isShared && options.schema !== undefined && options.schema === meta.schema ? { ...options, schema: own } : options;
}

/** The tenant entities whose tables refer to a shared one by foreign keys, at once or by way of other shared tables. */
export function tenantsThatReferTo(meta: EntityMetadata, storage: MetadataStorage, seen = new Set<EntityMetadata>()): EntityMetadata[] {
  if (seen.has(meta.root)) {
    return [];
  }

  seen.add(meta.root);
  const referring = [...storage.getAll().values()].filter(other => other.relations.some(property => refersTo(property, meta)));

  return referring.flatMap(other => (isTenantEntity(other.root) ? [other] : tenantsThatReferTo(other, storage, seen)));
}

function refersTo({ kind, owner, targetMeta }: EntityProperty, meta: EntityMetadata): boolean {
  return (kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && owner)) && targetMeta?.root === meta.root;
}

// the sub-query of the tenant that the formula's own table is of, as it has no EntityManager to ask
function throughFormula(platform: OpenPlatform, property: EntityProperty, columns: object, schema: string | undefined): string {
  const driver = platform.config.getDriver();
  const createQueryBuilder = (...args: Parameters<AbstractSqlDriver['createQueryBuilder']>): object =>
    driver.createQueryBuilder(...args).withSchema(schema);
  const config = { getDriver: () => Object.create(driver, { createQueryBuilder: { value: createQueryBuilder } }) as AbstractSqlDriver };

  return platform.getThroughRelationFormula.call(Object.create(platform, { config: { value: config } }), property, columns);
}

/** A relation that a query loads, and what it loads further. */
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

interface Asked extends GuardContext {
  /** The schema that the call names. */
  readonly wanted: string | undefined;
  /** The schema that the EntityManager has. */
  readonly own: string | undefined;
}

interface OpenPlatform extends Omit<AbstractSqlPlatform, 'config'> {
  readonly config: { getDriver(): AbstractSqlDriver };
  getThroughRelationFormula(this: object, property: object, columns: object): string;
}
