import { Reference, Utils, type Dictionary, type EntityManager, type FilterDef } from '@mikro-orm/core';
import { TenantRules } from '../scope/tenant-rules.js';
import { refuseForeignEntities } from './foreign-entities.js';
import { ownCopy } from './own-copies.js';

/**
 * Makes a filter check its condition each time that it is used. What its function returns may contain an entity of another tenant, from a parameter
 * or from anywhere else, and MikroORM replaces entities by their keys at once. A condition that is no function and has entities becomes one:
 * once MikroORM has used it, only keys are left in it. Filters with `rls` belong to the database and are left alone.
 *
 * Relies on MikroORM 7 calling the function with the EntityManager as its third argument, and reading the number of its parameters.
 */
export function guardCondition(filter: FilterDef): void {
  const { cond } = filter as { cond: unknown };

  if (guarded.has(cond as object) || (filter as { readonly rls?: unknown }).rls !== undefined) {
    return;
  }

  if (typeof cond === 'function') {
    const make = cond as (...given: unknown[]) => unknown;
    const guardedCond = async (...args: unknown[]): Promise<unknown> => {
      const condition: unknown = await make(...args);
      refuseForeignIn(condition, args[2] as EntityManager, String(args[4]));

      return ownCopy(condition);
    };

    replaceCondition(filter, guardedCond, make);
    return;
  }

  const entities = entitiesIn(cond);

  if (entities.length > 0) {
    const guardedCond = async (...args: unknown[]): Promise<unknown> => {
      refuseForeignIn(entities, args[2] as EntityManager, String(args[4]));

      return ownCopy(cond);
    };

    fixed.add(guardedCond);
    replaceCondition(filter, guardedCond, { length: 0, name: 'cond' });
  }
}

/** Whether the condition of a filter is one that is made of parameters. */
export function takesParams({ cond }: FilterDef): boolean {
  return typeof cond === 'function' && !fixed.has(cond);
}

function replaceCondition(filter: FilterDef, by: object, { length, name }: Pick<Function, 'length' | 'name'>): void {
  guarded.add(by);
  filter.cond = Object.defineProperties(by, { length: { value: length }, name: { value: name } }) as FilterDef['cond'];
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

/** Those of them whose conditions were no functions. */
const fixed = new WeakSet<object>();
