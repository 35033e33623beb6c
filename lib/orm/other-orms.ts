import { RequestContext, TransactionContext, ValidationError, type EntityManager } from '@mikro-orm/core';
import { howToEnterScope } from '../errors/scope-errors.js';
import { currentScope, type Scope } from '../scope/scope.js';

/**
 * The EntityManager that the flow is to use in the place of a global one, where what MikroORM finds by its name is another ORM's. The global
 * one itself, which may not be used there, if the flow has none of that ORM.
 */
export function contextBeside<Em extends EntityManager>(global: Em, validate: boolean): Em {
  const em = inRequest(global);

  if (em === undefined && validate && global.global && !global.config.get('allowGlobalContext')) {
    throw refusedGlobal(true);
  }

  return (em as Em | undefined) ?? global;
}

/** Adds to MikroORM's refusal of the global EntityManager how to enter a scope. */
export function explainGlobal(error: unknown): unknown {
  const { message } = ValidationError.cannotUseGlobalContext();

  return error instanceof ValidationError && error.message === message ? refusedGlobal(false) : error;
}

function refusedGlobal(hasOtherOrm: boolean): ValidationError {
  return new ValidationError(`${ValidationError.cannotUseGlobalContext().message} ${howToEnterScope(hasOtherOrm)}`);
}

/**
 * The EntityManager of the scope that the flow is in, where a context of another ORM hides it. A request context has no outer one, and
 * `@CreateRequestContext()` makes it with the EntityManager of one ORM alone.
 */
export function hiddenByOther<Em extends EntityManager>(global: Em): Em | undefined {
  const scope = currentScope(global.config);

  if (scope === undefined) {
    return undefined;
  }

  const named = TransactionContext.getEntityManager(global.name) ?? RequestContext.getEntityManager(global.name);

  return named?.config === global.config || inRequest(global) !== undefined ? undefined : (entityManagers.get(scope) as Em | undefined);
}

/** Keeps the EntityManager of a scope, which is entered once. */
export function keepFor(scope: Scope, em: EntityManager): void {
  entityManagers.set(scope, em);
}

function inRequest(global: EntityManager): EntityManager | undefined {
  return [...(RequestContext.currentRequestContext()?.map.values() ?? [])].find(({ config }) => config === global.config);
}

const entityManagers = new WeakMap<Scope, EntityManager>();

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
