import { cacheNameOf, fromCache, tenantsOfCacheKey, type CacheConfig } from '../query/result-cache.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { Args, OpenEntityManagerClass } from './open-entity-manager.js';

/** The methods of an EntityManager that use the result cache. Each tenant has results of its own. */
export function guardCache(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  return class GuardedCache extends EntityManagerOfMikro {
    // a cached result is an answer like the database's: refused where that would be, and never one tenant's for another
    override async tryCache(...[entityName, config, key, refresh, merge, ...rest]: Args<'tryCache'>) {
      const { publicSchema } = TenantRules.of(this.config);
      const asked: CacheConfig = config ?? this.config.get('resultCache').global;
      const tenants = asked === undefined || asked === false ? [] : tenantsOfCacheKey(key, this.getContext(false).schema, publicSchema);
      const meta = this.getMetadata().find(entityName);
      const schema = tenants[0];

      if (meta !== undefined && asked !== undefined && asked !== false) {
        this.getDriver().getSchemaName(meta, schema === undefined ? {} : { schema });
      }

      const named: CacheConfig = Array.isArray(asked) ? [cacheNameOf(asked[0], tenants), asked[1]] : config;
      const cached = await super.tryCache(entityName, named, key, refresh, false, ...rest);

      if (merge !== true || typeof cached?.data !== 'object' || cached.data === null) {
        return cached;
      }

      const data = fromCache(this.getContext(), entityName, cached.data, refresh, schema);
      await this.getUnitOfWork().dispatchOnLoadEvent();

      return { key: cached.key, data };
    }

    override async clearCache(...[name, ...rest]: Args<'clearCache'>) {
      const { schema } = this.getContext(false);
      await super.clearCache(cacheNameOf(name, []), ...rest);

      if (schema !== undefined) {
        await super.clearCache(cacheNameOf(name, [schema]), ...rest);
      }
    }
  };
}
