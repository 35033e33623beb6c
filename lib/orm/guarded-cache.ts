import type { IdentifiedSchema } from '../database/schema-identities.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { cacheKeyOf, fromCache, tenantsOfCacheKey, type CacheConfig } from '../query/result-cache.js';
import { TenantChangedError } from '../errors/index.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import { tenantOfEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { Others } from '../tenant/other-arguments.js';
import type { GuardedEntityManager } from './given-entities.js';
import type { Args, OpenEntityManager, OpenEntityManagerClass, Result } from './open-entity-manager.js';

/**
 * The methods of an EntityManager that use the result cache. Each result belongs to where it was read: to one tenant, to the public scope, or
 * to none, whatever the query is of. SQL of the user's own in it, or in an entity's formula, reads there without being told apart.
 *
 * Relies on MikroORM 7 storing a result under the key that `tryCache` returns.
 */
export function guardCache(EntityManagerOfMikro: OpenEntityManagerClass): OpenEntityManagerClass {
  return class GuardedCache extends EntityManagerOfMikro {
    // a cached result is an answer like the database's: refused where that would be, and never one tenant's for another
    override tryCache(
      entityName: Args<'tryCache'>[0],
      config: Args<'tryCache'>[1],
      key: Args<'tryCache'>[2],
      refresh?: Args<'tryCache'>[3],
      merge?: Args<'tryCache'>[4],
      ...rest: Others<Args<'tryCache'>, 5>
    ): Result<'tryCache'> {
      const asked: CacheConfig = config ?? this.config.get('resultCache').global;

      // every read asks
      return asked === undefined || asked === false || asked === 0
        ? super.tryCache(entityName, config, key, refresh, merge, ...rest)
        : cachedOfReader(this, asked, [entityName, config, key, refresh, merge, ...rest], (...args) => super.tryCache(...args));
    }

    // every read calls it, and most are not cached
    override storeCache(
      config: Args<'storeCache'>[0],
      key: Args<'storeCache'>[1],
      data: Args<'storeCache'>[2],
      ...rest: Others<Args<'storeCache'>, 3>
    ): Result<'storeCache'> {
      const read = key === undefined ? undefined : readFor.get(key);

      return read === undefined
        ? super.storeCache(config, key, data, ...rest)
        : refuseChanged(this, read).then(isSame => (isSame ? super.storeCache(config, key, data, ...rest) : undefined));
    }

    // what was read outside of scopes and in the public one has no tenant to clear it from
    override async clearCache(...[name, ...rest]: Args<'clearCache'>) {
      const [reader, tenant] = readerOf(this);
      const ofTenant = tenant === undefined ? [] : (await identify(this, [tenant])).map(({ identity }) => identity);
      const owners = [...new Set([reader, 'public', 'none'])].flatMap(each => [[each], [each, ...ofTenant]]);

      for (const key of new Set(owners.map(each => cacheKeyOf(name, each)))) {
        await super.clearCache(key, ...rest);
      }
    }
  };
}

// not a private method, which would make every EntityManager slower to make
async function cachedOfReader(
  em: OpenEntityManager,
  asked: Exclude<CacheConfig, undefined>,
  [entityName, , key, refresh, merge, ...rest]: Args<'tryCache'>,
  tryCache: (...args: Args<'tryCache'>) => Result<'tryCache'>,
): Promise<Awaited<Result<'tryCache'>>> {
  const { publicSchema } = TenantRules.of(em.config);
  const tenants = tenantsOfCacheKey(key, em.getContext(false).schema, publicSchema);
  const meta = em.getMetadata().find(entityName);
  const schema = tenants[0];

  if (meta !== undefined) {
    em.getDriver().getSchemaName(meta, schema === undefined ? {} : { schema });
  }

  const [reader, tenant] = readerOf(em);
  const identities = await identify(em, [tenant, ...tenants]);
  const owners = [reader, ...identities.map(({ identity }) => identity)];
  const cacheKey = Array.isArray(asked) ? cacheKeyOf(asked[0], owners) : cacheKeyOf(JSON.stringify(key), ['computed', ...owners]);
  // how long it is kept is said when it is stored
  const named: CacheConfig = [cacheKey, 0];
  const cached = await tryCache(entityName, named, key, refresh, false, ...rest);

  if (cached !== undefined && identities.length > 0) {
    readFor.set(cached, identities);
  }

  if (merge !== true || typeof cached?.data !== 'object' || cached.data === null) {
    return cached;
  }

  const data = fromCache(em.getContext(), entityName, cached.data, refresh, schema);
  await em.getUnitOfWork().dispatchOnLoadEvent();

  return { key: cached.key, data };
}

/** Whose role and path the SQL of the EntityManager has now, and the tenant if it is one's. */
function readerOf(em: GuardedEntityManager): [kind: string, tenant?: string] {
  const { publicSchema, scope } = TenantRules.of(em.config);
  const { schema } = em.getContext(false);
  const tenant = scope?.kind === 'tenant' ? scope.schemaName : schema === publicSchema ? undefined : schema;

  return tenant === undefined ? [scope?.kind ?? 'none'] : ['tenant', tenant];
}

/** The names of tenants' schemas, each with its schema's key. The scope knows its own: the database knows who has that name now. */
async function identify(em: OpenEntityManager, tenants: readonly (string | undefined)[]): Promise<IdentifiedSchema[]> {
  const names = [...new Set(tenants.filter(name => name !== undefined))];
  const own = knownTenantOf(em);
  const { identities } = TenantDatabase.of(em.config);
  const ctx = em.getTransactionContext();
  const found: IdentifiedSchema[] = [];

  for (const name of names) {
    found.push(...(name === own?.schemaName ? [knownSchema(em, own)] : await identities.of([name], ctx)));
  }

  return found;
}

function knownSchema(em: OpenEntityManager, own: TenantIdentity): IdentifiedSchema {
  const { identities } = TenantRules.of(em.config);

  return { identity: `${own.schemaName}:${own.schemaOid ?? 'none'}`, mark: identities.confirmationsOf('write').latest(own)?.mark };
}

/**
 * Whether the names have been those of the same schemas since, as the database says now. What was read where a name has just become another tenant's would
 * be kept, and found again when the name is given back.
 *
 * @throws TenantChangedError `TENANT_CHANGED` if it is the EntityManager's own tenant that has lost its name
 */
async function refuseChanged(em: OpenEntityManager, schemas: readonly IdentifiedSchema[]): Promise<boolean> {
  const { config } = em;
  const ctx = em.getTransactionContext();
  const names = schemas.map(({ identity }) => identity.slice(0, identity.lastIndexOf(':')));
  const now = await TenantDatabase.of(config).identities.now(names, ctx);
  const changed = names.filter((_name, index) => now[index]?.identity !== schemas[index]?.identity);
  const own = knownTenantOf(em);

  if (own?.schemaOid !== undefined && changed.includes(own.schemaName)) {
    // a transaction may see what nobody else will
    if (ctx === undefined) {
      TenantRules.of(config).identities.end(own);
    }

    throw new TenantChangedError(own.schemaName);
  }

  // some had lost their names, or were granted to somebody
  const touched = names.filter((_name, index) => now[index]?.mark !== schemas[index]?.mark);

  if (touched.length > 0) {
    TenantRules.of(config).identities.outdate(touched);
    TenantDatabase.of(config).identities.forget();
  }

  return changed.length === 0 && touched.length === 0;
}

/** The tenants that a result is read for, by what MikroORM stores it under. */
const readFor = new WeakMap<object, readonly IdentifiedSchema[]>();

function knownTenantOf(em: OpenEntityManager): TenantIdentity | undefined {
  const { scope } = TenantRules.of(em.config);

  return scope?.kind === 'tenant' ? scope.identity : tenantOfEm(em.getContext(false))?.identity;
}
