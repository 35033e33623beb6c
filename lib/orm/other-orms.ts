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

  return named?.config === global.config || inRequest(global) !== undefined ? undefined : (scope.em as Em | undefined);
}

/** Keeps the EntityManager of a scope, which is entered once. */
export function keepFor(scope: Scope, em: EntityManager): void {
  scope.em = em;
}

/**
 * The EntityManager of the scope that the flow is in, where it is the one that a global one finds anyway: MikroORM's contexts have it under its name,
 * and no other one. Most calls of a global EntityManager are such. Undefined for all others.
 */
export function ofScope<Em extends EntityManager>({ config, name }: Em): Em | undefined {
  const em = currentScope(config)?.em;

  if (em === undefined || RequestContext.getEntityManager(name) !== em) {
    return undefined;
  }

  const inTransaction = TransactionContext.getEntityManager(name);

  return inTransaction === undefined || inTransaction === em ? (em as Em) : undefined;
}

function inRequest(global: EntityManager): EntityManager | undefined {
  return [...(RequestContext.currentRequestContext()?.map.values() ?? [])].find(({ config }) => config === global.config);
}

/** The EntityManagers of a scope's context: its own, and beside it another ORM's, which stay what they are, one of the same name too. */
export function entityManagersOf(em: EntityManager): Map<string, EntityManager> {
  const all = new Map(RequestContext.currentRequestContext()?.map);
  addOther(all, all.get(em.name), em);
  addOther(all, TransactionContext.getEntityManager(em.name), em);

  return all.set(em.name, em);
}

function addOther(all: Map<string, EntityManager>, other: EntityManager | undefined, em: EntityManager): void {
  if (other !== undefined && other.config !== em.config) {
    all.set(`${other.name} of ORM ${idOf(other.config)}`, other);
  }
}

function idOf(config: object): number {
  const id = ids.get(config) ?? ++count;
  ids.set(config, id);

  return id;
}

const ids = new WeakMap<object, number>();

let count = 0;
