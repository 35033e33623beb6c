import { Reference, Utils, type Dictionary, type EntityManager, type FilterDef } from '@mikro-orm/core';
import { TenantRules } from '../scope/tenant-rules.js';
import { refuseForeignEntities } from './foreign-entities.js';

/**
 * Makes a filter check each condition that its function returns. The condition may contain an entity of another tenant, from a parameter or from
 * anywhere else, and MikroORM replaces entities by their keys at once. Filters with `rls` belong to the database and are left alone.
 *
 * Relies on MikroORM 7 calling the function with the EntityManager as its third argument, and reading the number of its parameters.
 */
export function guardCondition(filter: FilterDef): void {
  const { cond } = filter as { cond: unknown };

  if (typeof cond !== 'function' || guarded.has(cond) || (filter as { readonly rls?: unknown }).rls !== undefined) {
    return;
  }

  const guardedCond = async (...args: unknown[]): Promise<unknown> => {
    const condition: unknown = await (cond as (...given: unknown[]) => unknown)(...args);
    refuseForeignIn(condition, args[2] as EntityManager, String(args[4]));

    return condition;
  };

  guarded.add(guardedCond);
  filter.cond = Object.defineProperties(guardedCond, { length: { value: cond.length }, name: { value: cond.name } }) as FilterDef['cond'];
}

export function guardConditions(filters: Dictionary<FilterDef> | undefined): void {
  Object.values(filters ?? {}).forEach(guardCondition);
}

/** Guards copies of the filters of a config. The config may be used without tenants too. */
export function withGuardedConditions<Filters extends Dictionary<object>>(filters: Filters): Filters {
  const copies = Object.fromEntries(Object.entries(filters).map(([name, filter]) => [name, { ...filter }]));
  guardConditions(copies as Dictionary<FilterDef>);

  return copies as Filters;
}

/** @throws CrossTenantError `CROSS_TENANT` if the parameters or the condition of a filter contain an entity of another tenant. */
export function refuseForeignIn(given: unknown, em: Pick<EntityManager, 'config' | 'schema'>, entity: string | undefined): void {
  const rules = TenantRules.of(em.config);
  refuseForeignEntities([given], em.schema, { rules, scope: rules.scope, entity });
}

/** The entities in the parameters or the condition of a filter. MikroORM replaces them by their keys when the filter is first used. */
export function entitiesIn(given: unknown, seen = new Set<unknown>()): object[] {
  if (typeof given !== 'object' || given === null || seen.has(given)) {
    return [];
  }

  seen.add(given);
  const value: unknown = Reference.unwrapReference(given);

  if (Utils.isEntity<object>(value) || Utils.isCollection(value)) {
    return [value];
  }

  return Array.isArray(value) || Utils.isPlainObject<object>(value) ? Object.values(value).flatMap(each => entitiesIn(each, seen)) : [];
}

const guarded = new WeakSet<object>();
