import { Reference, Utils, type Dictionary, type EntityManager, type FilterDef } from '@mikro-orm/core';
import { TenantRules } from '../scope/tenant-rules.js';
import { refuseForeign } from './foreign-entities.js';

/**
 * Has a filter look at the condition that its function gives, each time: what it is given by parameters, or knows from elsewhere, may be an
 * entity of another tenant. MikroORM reduces it to its key at once. Filters with `rls` are the database's, and have no values.
 *
 * Relies on MikroORM 7 calling the function with the EntityManager third, and on its asking how many parameters the function has.
 */
export function guardFilter(filter: FilterDef): void {
  const { cond } = filter as { cond: unknown; readonly rls?: unknown };

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

export function guardFilters(filters: Dictionary<FilterDef> | undefined): void {
  Object.values(filters ?? {}).forEach(guardFilter);
}

/** Filters of a config, which may be another ORM's too. */
export function guardedCopies<Filters extends Dictionary<object>>(filters: Filters): Filters {
  const copies = Object.fromEntries(Object.entries(filters).map(([name, filter]) => [name, { ...filter }]));
  guardFilters(copies as never);

  return copies as Filters;
}

/** @throws CrossTenantError `CROSS_TENANT` where a filter's parameters or condition have another tenant's entity in them. */
export function refuseForeignIn(given: unknown, em: EntityManager, entity: string | undefined): void {
  const rules = TenantRules.of(em.config);
  refuseForeign([given], em.schema, { rules, scope: rules.scope, entity });
}

/** The entities among what a filter is given. MikroORM puts their keys in their places when it is first used. */
export function entitiesAmong(given: unknown, seen = new Set<unknown>()): object[] {
  if (typeof given !== 'object' || given === null || seen.has(given)) {
    return [];
  }

  seen.add(given);
  const value: unknown = Reference.unwrapReference(given);

  if (Utils.isEntity<object>(value) || Utils.isCollection(value)) {
    return [value];
  }

  return Array.isArray(value) || Utils.isPlainObject<object>(value) ? Object.values(value).flatMap(each => entitiesAmong(each, seen)) : [];
}

const guarded = new WeakSet<object>();
