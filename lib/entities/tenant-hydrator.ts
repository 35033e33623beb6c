import { helper, ObjectHydrator, type Options } from '@mikro-orm/core';
import { isTenantEntity } from '../tenant/entity-kinds.js';

type HydratorClass = NonNullable<Options['hydrator']>;

/**
 * Extends the user's hydrator so that related entities always get a schema: that of a tenant's entity, or for a shared entity that of its
 * EntityManager. MikroORM passes the schema when it hydrates the result of a query, but not when it hydrates an entity again, as `em.refresh()`
 * and `em.upsert()` do.
 */
export function extendHydrator(Hydrator: HydratorClass = ObjectHydrator): HydratorClass {
  class TenantHydrator extends (Hydrator as unknown as OpenHydratorClass) {
    override hydrate(...args: HydrateArgs): void {
      // every row of a result comes here
      const schema = args[SCHEMA] ?? schemaOfRelated(args[0]);

      if (schema === args[SCHEMA]) {
        super.hydrate(...args);
      } else {
        const [entity, meta, data, factory, type, isNew, convertsTypes, , ...rest] = args;
        super.hydrate(entity, meta, data, factory, type, isNew, convertsTypes, schema, ...rest);
      }
    }
  }

  return Object.defineProperty(TenantHydrator, 'name', { value: Hydrator.name }) as unknown as HydratorClass;
}

function schemaOfRelated(entity: object): string | undefined {
  const wrapped = helper(entity) as ReturnType<typeof helper> | undefined;

  return wrapped === undefined || isTenantEntity(wrapped.__meta.root) ? wrapped?.__schema : wrapped.__em?.schema;
}

/** The index of `schema` in the arguments of `hydrate`. */
const SCHEMA = 7;

type HydrateArgs = Parameters<InstanceType<HydratorClass>['hydrate']>;

/** Without type parameters, which an override could not repeat. */
type OpenHydratorClass = new (...args: ConstructorParameters<HydratorClass>) => { hydrate(...args: HydrateArgs): void };
