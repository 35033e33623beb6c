import { helper, ObjectHydrator, type Options } from '@mikro-orm/core';
import { isTenantEntity, type OfClass } from '../tenant/entity-kinds.js';
import type { Others } from '../tenant/other-arguments.js';

type HydratorClass = NonNullable<Options['hydrator']>;

/**
 * Extends the user's hydrator so that related entities always get a schema: that of a tenant's entity, or for a shared entity that of its
 * EntityManager. MikroORM passes the schema when it hydrates the result of a query, but not when it hydrates an entity again, as `em.refresh()`
 * and `em.upsert()` do.
 */
export function extendHydrator(Hydrator: HydratorClass = ObjectHydrator): HydratorClass {
  class TenantHydrator extends (Hydrator as unknown as OpenHydratorClass) {
    // every row of a result comes here, which is why it names its arguments
    override hydrate(
      entity: HydrateArgs[0],
      meta: HydrateArgs[1],
      data: HydrateArgs[2],
      factory: HydrateArgs[3],
      type: HydrateArgs[4],
      isNew?: HydrateArgs[5],
      convertsTypes?: HydrateArgs[6],
      schema?: HydrateArgs[7],
      parentSchema?: HydrateArgs[8],
      normalizesAccessors?: HydrateArgs[9],
      ...rest: Others<HydrateArgs, 10>
    ): void {
      super.hydrate(
        entity,
        meta,
        data,
        factory,
        type,
        isNew,
        convertsTypes,
        schema ?? schemaOfRelated(entity),
        parentSchema,
        normalizesAccessors,
        ...rest,
      );
    }
  }

  return Object.defineProperty(TenantHydrator, 'name', { value: Hydrator.name }) as unknown as HydratorClass;
}

function schemaOfRelated(entity: object): string | undefined {
  const wrapped = helper(entity) as ReturnType<typeof helper> | undefined;

  return wrapped === undefined || isTenantEntity((entity as OfClass).__meta.root) ? wrapped?.__schema : wrapped.__em?.schema;
}

type HydrateArgs = Parameters<InstanceType<HydratorClass>['hydrate']>;

/** Without type parameters, which an override could not repeat. */
type OpenHydratorClass = new (...args: ConstructorParameters<HydratorClass>) => { hydrate(...args: HydrateArgs): void };
