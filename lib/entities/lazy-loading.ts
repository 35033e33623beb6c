import {
  Collection,
  FlushMode,
  helper,
  ReferenceKind,
  Utils,
  type EntityLoader,
  type EntityManager,
  type EntityMetadata,
} from '@mikro-orm/core';
import { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { mayHoldEntities, refuseForeignEntities } from './foreign-entities.js';
import { guardContextOf } from '../scope/guard-context.js';
import { GUARDED } from '../scope/guarded-method.js';

/**
 * Loading for entities that are already loaded. MikroORM queries by their keys, sometimes without their schema. An EntityManager of another
 * schema would then read the rows of its own schema with the same keys. The functions below pass the schema where MikroORM accepts one, and
 * refuse the work where it does not.
 */

/**
 * Refuses `em.populate()` for entities of another schema than the requested one. For entities that are not loaded, and for lazy scalars,
 * MikroORM uses the EntityManager's schema. These are also refused if they are of another schema than the EntityManager's.
 */
export function refuseUnlessLoaded(em: EntityManager, entities: unknown, { populate, schema }: PopulateArgs): void {
  const guard = guardContextOf(em.config);
  const unloaded = Utils.asArray(entities as object[]).filter(
    entity => Utils.isEntity<object>(entity) && (!helper(entity).__initialized || populatesScalar(helper(entity).__meta, populate)),
  );
  refuseForeignEntities([entities], schema, guard);
  refuseForeignEntities(unloaded, em.schema, guard);
}

/** The schema of the first entity, for an EntityManager without a schema. MikroORM uses one schema for all, so the others must have the same. */
export function schemaOf(entities: unknown): string | undefined {
  const [first] = Utils.asArray(entities as object[]);

  return Utils.isEntity<object>(first) ? helper(first).__schema : undefined;
}

/**
 * Reloads an entity whose schema is not the EntityManager's. `em.refresh()` would read the right row, but would then look for the entity under
 * the EntityManager's schema in the identity map.
 */
export async function refreshInSchema(em: EntityManager, entity: object, options: SchemaOption): Promise<object | null> {
  const { __em, __meta, __schema } = helper(entity);

  if (__em !== em) {
    refuseForeignEntities([entity], em.schema, guardContextOf(em.config));
  }

  return em.findOne(__meta.class, entity, { schema: __schema, ...options, refresh: true, flushMode: FlushMode.COMMIT } as object);
}

/** A dataloader that loads each entity's relations in the entity's own schema. It refuses at once, before the request joins a batch. */
export function loadInSchema<Loader extends DataLoaderLike>(loader: Loader, em: EntityManager): Loader {
  return Object.assign(Object.create(loader) as Loader, {
    load: async (...[[target, options, ...others], ...rest]: LoadArgs): Promise<unknown> => {
      const entity = Utils.isCollection(target) ? target.owner : (target as { unwrap(): object }).unwrap();
      const { __meta: meta, __schema } = helper(entity);
      const guard = guardContextOf(em.config);
      // MikroORM turns them into JSON, which holds the data of an entity and no longer says whose it is
      const given = options === undefined ? [] : Object.values(options);
      const of = Utils.isCollection(target) ? target.property.targetMeta : meta;

      if (!isTenantEntity(meta.root)) {
        refuseForeignEntities(given, em.schema, { ...guard, entity: of?.className });

        return loader.load([target, options, ...others], ...rest);
      }

      const schema = options?.schema ?? __schema;
      em.getDriver().getSchemaName(meta, schema === undefined ? {} : { schema });
      refuseForeignEntities([entity], schema, guard);
      refuseForeignEntities(given, schema, { ...guard, entity: of?.className });

      return loader.load([target, schema === undefined ? options : { ...options, schema }, ...others], ...rest);
    },
  });
}

/**
 * An EntityLoader that accepts only entities of the EntityManager's tenant. The class is internal to MikroORM, but users can get one. MikroORM's
 * dataloader calls it without a schema for many-to-many collections. These are read in the EntityManager's schema, else in their owners'.
 */
export function guardLoader(loader: EntityLoader, em: EntityManager): EntityLoader {
  return new Proxy(loader, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);

      return typeof value === 'function'
        ? (...args: unknown[]): unknown => {
            const given = args.filter(Array.isArray);
            refuseForeignEntities(given, em.schema ?? schemaOf(given[0]), guardContextOf(em.config));

            return value.apply(target, inSchemaOfOwners(String(name), args, em.schema));
          }
        : value;
    },
  });
}

/**
 * Makes a collection refuse to query if its owner's schema is not the EntityManager's. Its queries contain only the owner's key, and no method
 * of the EntityManager receives the owner.
 *
 * Relies on `Collection.getEntityManager`, which is private in MikroORM 7. Every query of a collection calls it with `required`.
 * `spec/laws/matrix` fails if it changes. It is replaced for the whole process, and has no effect on an ORM without tenants.
 *
 * `matching()` gets a copy of the options, because MikroORM writes the schema to them. If a caller used the same object again, the second call
 * would use the schema of the first one. Of a condition that is an entity, MikroORM puts the properties into one of its own.
 */
export function guardCollections(): void {
  const prototype = Collection.prototype as unknown as OpenCollection;
  const own = Object.getOwnPropertyDescriptor(prototype, 'getEntityManager')?.value as OpenCollection['getEntityManager'] | undefined;

  // where there is none, no ORM starts
  if (own === undefined || GUARDED in own) {
    return;
  }

  const guarded = function (this: OpenCollection, ...args: Parameters<OpenCollection['getEntityManager']>): EntityManager | undefined {
    const em = own.apply(this, args);
    const [, required = true] = args;

    if (required && em !== undefined) {
      if (TenantRules.find(em.config) !== undefined) {
        refuseForeignEntities([this.owner], em.schema, guardContextOf(em.config));
      }
    }

    return em;
  };
  prototype.getEntityManager = Object.assign(guarded, { [GUARDED]: own });

  const { matching } = prototype;
  const copying: OpenCollection['matching'] = function (options, ...rest) {
    refuseForeignCondition(this, options);

    return matching.call(this, { ...options }, ...rest);
  };
  prototype.matching = Object.assign(copying, { [GUARDED]: matching });
}

function refuseForeignCondition(collection: OpenCollection, { where }: Conditioned): void {
  const em = mayHoldEntities(where) ? collection.getEntityManager(undefined, false) : undefined;

  if (em !== undefined && TenantRules.find(em.config) !== undefined) {
    const entity = (collection as unknown as Collection<object>).property.targetMeta?.className;
    refuseForeignEntities([where], em.schema ?? schemaOf(collection.owner), { ...guardContextOf(em.config), entity });
  }
}

function inSchemaOfOwners(method: string, args: unknown[], own: string | undefined): unknown[] {
  if (method === 'populate') {
    const [entityName, entities, populate, options, ...rest] = args as Parameters<EntityLoader['populate']>;

    return [entityName, entities, populate, { ...options, schema: options?.schema ?? schemaOf(entities) }, ...rest];
  }

  if (method === 'findChildrenFromPivotTable') {
    const [owners, property, options, ...rest] = args as Parameters<EntityLoader['findChildrenFromPivotTable']>;

    return [owners, property, { ...options, schema: options?.schema ?? own ?? schemaOf(owners) }, ...rest];
  }

  return args;
}

function populatesScalar(meta: EntityMetadata, populate: unknown): boolean {
  const hints = Array.isArray(populate) ? (populate as unknown[]) : [];

  return hints.some(hint => typeof hint === 'string' && isScalar(meta, hint.split('.')));
}

function isScalar(meta: EntityMetadata | undefined, [name = '', ...rest]: readonly string[]): boolean {
  const property = meta?.properties[name.split(':')[0] as never];

  return property !== undefined && (property.kind === ReferenceKind.SCALAR || (rest.length > 0 && isScalar(property.targetMeta, rest)));
}

type LoadArgs = [key: readonly [target: object, options?: SchemaOption | undefined, ...others: unknown[]], ...rest: unknown[]];

interface SchemaOption {
  readonly schema?: string | undefined;
}

interface PopulateArgs {
  readonly populate: unknown;
  readonly schema: string | undefined;
}

interface DataLoaderLike {
  load(...args: LoadArgs): Promise<unknown>;
}

interface OpenCollection {
  readonly owner: object;
  getEntityManager: (this: OpenCollection, items?: Iterable<object>, required?: boolean, ...rest: unknown[]) => EntityManager | undefined;
  matching: (this: OpenCollection, options: Conditioned, ...rest: unknown[]) => unknown;
}

interface Conditioned {
  readonly where?: unknown;
}
