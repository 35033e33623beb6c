import { helper, ObjectHydrator, type Options } from '@mikro-orm/core';

type HydratorClass = NonNullable<Options['hydrator']>;

/**
 * The user's hydrator, which takes what an entity refers to as of the entity's own schema. MikroORM says the schema when it
 * hydrates what a query returned, and not when it hydrates an entity anew, as `em.refresh()` and `em.upsert()` do.
 */
export function extendHydrator(Hydrator: HydratorClass = ObjectHydrator): HydratorClass {
  class TenantHydrator extends (Hydrator as unknown as OpenHydratorClass) {
    override hydrate(...args: HydrateArgs): void {
      const [entity] = args;
      args[SCHEMA] ??= helper(entity)?.__schema;
      super.hydrate(...args);
    }
  }

  return Object.defineProperty(TenantHydrator, 'name', { value: Hydrator.name }) as unknown as HydratorClass;
}

/** The place of `schema` among the arguments of `hydrate()`. */
const SCHEMA = 7;

type HydrateArgs = [entity: object, ...rest: any[]];

type OpenHydratorClass = new (...args: any[]) => { hydrate(...args: HydrateArgs): void };
