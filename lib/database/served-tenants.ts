import type { FilterDef } from '@mikro-orm/core';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedEntityManager, WrappedOrm } from '../scope/wrapped-orm.js';

/**
 * MikroORM's filters for a look-up of who is served. The filters of the tenant entity that apply by default apply here too, so that a tenant
 * that is deleted softly is not served. One that needs parameters and has none is off: MikroORM would refuse the look-up.
 */
export function filtersOfServed(em: WrappedEntityManager, rules: TenantRules): Record<string, false> {
  return Object.fromEntries(
    namesWithParameters(rules)
      .filter(name => (em.getFilterParams(name) as unknown) === undefined)
      .map(name => [name, false]),
  );
}

/** Whether the caller has given parameters to a filter, so that the tenants that it may enter are not those that all others may. */
export function hasParametersOfCaller(orm: WrappedOrm, rules: TenantRules): boolean {
  return namesWithParameters(rules).some(name => (orm.em.fork().getFilterParams(name) as unknown) !== undefined);
}

function namesWithParameters({ config, tenantMeta }: TenantRules): string[] {
  const filters: Record<string, FilterDef> = { ...config.get('filters'), ...tenantMeta.filters };

  return Object.keys(filters).filter(name => needsParameters(filters[name] as FilterDef));
}

function needsParameters({ cond, args }: FilterDef): boolean {
  return typeof cond === 'function' && cond.length > 0 && args !== false;
}
