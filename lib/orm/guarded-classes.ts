import type { Options } from '@mikro-orm/core';
import { extendHydrator } from '../entities/tenant-hydrator.js';
import { extendDriver } from './tenant-driver.js';
import { extendEntityManager } from './tenant-entity-manager.js';

/** The classes of an ORM with tenants, made once for each class of MikroORM's or the user's that they extend. */
export const guardedDriverOf: typeof extendDriver = oncePerClass(extendDriver);
export const guardedEntityManagerOf: typeof extendEntityManager = oncePerClass(extendEntityManager);
export const guardedHydratorOf: (base: HydratorClass) => HydratorClass = oncePerClass((base: HydratorClass) => extendHydrator(base));

function oncePerClass<Base extends object, Extended>(extend: (base: Base) => Extended): (base: Base) => Extended {
  const made = new WeakMap<Base, Extended>();

  return base => {
    const extended = made.get(base) ?? extend(base);
    made.set(base, extended);

    return extended;
  };
}

type HydratorClass = NonNullable<Options['hydrator']>;
