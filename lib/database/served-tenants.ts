import type { FilterDef } from '@mikro-orm/core';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedEntityManager } from '../scope/wrapped-orm.js';

/**
 * MikroORM's filters for a look-up of who is served. The filters of the tenant entity that apply by default apply here too, so that a tenant
 * that is deleted softly is not served. One that needs parameters and has none is off: MikroORM would refuse the look-up.
 */
export function filtersOfServed(em: WrappedEntityManager, { config, tenantMeta }: TenantRules): Record<string, false> {
  const filters: Record<string, FilterDef> = { ...config.get('filters'), ...tenantMeta.filters };

  return Object.fromEntries(
    Object.entries(filters)
      .filter(([name, filter]) => needsParameters(filter) && (em.getFilterParams(name) as unknown) === undefined)
      .map(([name]) => [name, false]),
  );
}

function needsParameters({ cond, args }: FilterDef): boolean {
  return typeof cond === 'function' && cond.length > 0 && args !== false;
}
