import { RequestContext, TransactionContext, ValidationError, type EntityManager } from '@mikro-orm/core';

/**
 * The EntityManager that the flow is to use in the place of a global one, where what MikroORM finds by its name is another ORM's. The global
 * one itself, which may not be used there, if the flow has none of that ORM.
 */
export function contextBeside<Em extends EntityManager>(global: Em, validate: boolean): Em {
  const em = [...(RequestContext.currentRequestContext()?.map.values() ?? [])].find(({ config }) => config === global.config);

  if (em === undefined && validate && global.global && !global.config.get('allowGlobalContext')) {
    throw ValidationError.cannotUseGlobalContext();
  }

  return (em as Em | undefined) ?? global;
}

/** What a scope's context has beside its own EntityManager: another ORM's stay what they are, one of the same name too. */
export function otherEntityManagers(em: EntityManager): Map<string, EntityManager> {
  const others = new Map(RequestContext.currentRequestContext()?.map);

  for (const other of [others.get(em.name), TransactionContext.getEntityManager(em.name)]) {
    if (other !== undefined && other.config !== em.config) {
      others.set(`${other.name} of ORM ${idOf(other.config)}`, other);
    }
  }

  return others;
}

function idOf(config: object): number {
  const id = ids.get(config) ?? ++count;
  ids.set(config, id);

  return id;
}

const ids = new WeakMap<object, number>();

let count = 0;
