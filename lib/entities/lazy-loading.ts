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
import { refuseForeign } from './foreign-entities.js';
import { guardContextOf } from '../scope/guard-context.js';

/**
 * What is loaded for entities that are there already. MikroORM asks for it by their keys, some of it without their schema, and an
 * EntityManager that has another one would then read the rows which have these keys there. Where the schema can be said it is
 * said here, and where it cannot, the work is refused.
 */

/**
 * Refuses `em.populate()` for entities of another schema than is asked for, and where MikroORM would leave the schema to the
 * EntityManager, of another than the EntityManager's: for what is not loaded, or has a scalar that is not.
 */
export function refuseUnlessLoaded(em: EntityManager, entities: unknown, { populate, schema }: PopulateArgs): void {
  const guard = guardContextOf(em.config);
  const unloaded = Utils.asArray(entities as object[]).filter(
    entity => Utils.isEntity<object>(entity) && (!helper(entity).__initialized || asksForScalar(helper(entity).__meta, populate)),
  );
  refuseForeign([entities], schema, guard);
  refuseForeign(unloaded, em.schema, guard);
}

/** The schema of the first of the entities, for an EntityManager that has none. MikroORM takes one for all, so the others have to have it too. */
export function schemaOf(entities: unknown): string | undefined {
  const [first] = Utils.asArray(entities as object[]);

  return Utils.isEntity<object>(first) ? helper(first).__schema : undefined;
}

/**
 * Reads an entity anew in its own schema, which is not the EntityManager's. `em.refresh()` would read it there too, and then look for it
 * among the EntityManager's own.
 */
export async function refreshInSchema(em: EntityManager, entity: object, options: SchemaOption): Promise<object | null> {
  const { __em, __meta, __schema } = helper(entity);

  if (__em !== em) {
    refuseForeign([entity], em.schema, guardContextOf(em.config));
  }

  return em.findOne(__meta.class, entity, { schema: __schema, ...options, refresh: true, flushMode: FlushMode.COMMIT } as object);
}

/** A dataloader that asks for what belongs to an entity in the entity's own schema, and is refused before it waits for others. */
export function loadInSchema<Loader extends DataLoaderLike>(loader: Loader, em: EntityManager): Loader {
  return Object.assign(Object.create(loader) as Loader, {
    load: async (...[[target, options, ...others], ...rest]: LoadArgs): Promise<unknown> => {
      const entity = Utils.isCollection(target) ? target.owner : (target as { unwrap(): object }).unwrap();
      const { __meta: meta, __schema } = helper(entity);

      if (!isTenantEntity(meta.root)) {
        return loader.load([target, options, ...others], ...rest);
      }

      const schema = options?.schema ?? __schema;
      em.getDriver().getSchemaName(meta, schema === undefined ? {} : { schema });
      refuseForeign([entity], schema, guardContextOf(em.config));

      return loader.load([target, schema === undefined ? options : { ...options, schema }, ...others], ...rest);
    },
  });
}

/**
 * The EntityLoader, which is MikroORM's own and public all the same, for entities of the EntityManager's tenant. MikroORM's dataloader
 * comes here for many-to-many collections without a schema: they are read in that of the EntityManager, else in their owners'.
 */
export function guardLoader(loader: EntityLoader, em: EntityManager): EntityLoader {
  return new Proxy(loader, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);

      return typeof value === 'function'
        ? (...args: unknown[]): unknown => {
            const given = args.filter(Array.isArray);
            refuseForeign(given, em.schema ?? schemaOf(given[0]), guardContextOf(em.config));

            return value.apply(target, inSchemaOfOwners(String(name), args, em.schema));
          }
        : value;
    },
  });
}

/**
 * Makes every collection of an entity that has another schema than its EntityManager refuse to ask the database. Its queries know
 * the owner's key alone, and come to no method of the EntityManager with the owner in hand.
 *
 * Relies on `Collection.getEntityManager`, private in MikroORM 7, which its queries call for an EntityManager that they cannot do
 * without. `spec/laws/matrix` fails if it changes. It is replaced for the process, and does nothing for an ORM without tenants.
 *
 * Of `matching()` it takes a copy of the options, which MikroORM writes to: a caller's own would name the schema of whoever used them first.
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
        refuseForeign([this.owner], em.schema, guardContextOf(em.config));
      }
    }

    return em;
  };
  prototype.getEntityManager = Object.assign(guarded, { [GUARDED]: own });

  const { matching } = prototype;
  const copying: OpenCollection['matching'] = function (options, ...rest) {
    return matching.call(this, { ...options }, ...rest);
  };
  prototype.matching = Object.assign(copying, { [GUARDED]: matching });
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

function asksForScalar(meta: EntityMetadata, populate: unknown): boolean {
  const hints = Array.isArray(populate) ? (populate as unknown[]) : [];

  return hints.some(hint => typeof hint === 'string' && isScalar(meta, hint.split('.')));
}

function isScalar(meta: EntityMetadata | undefined, [name = '', ...rest]: readonly string[]): boolean {
  const property = meta?.properties[name.split(':')[0] as never];

  return property !== undefined && (property.kind === ReferenceKind.SCALAR || (rest.length > 0 && isScalar(property.targetMeta, rest)));
}

/** What a method of MikroORM's was, on the one in its place. */
export const GUARDED = Symbol.for('@landlord/mikro-orm: guarded');

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
  matching: (this: OpenCollection, options: object, ...rest: unknown[]) => unknown;
}
