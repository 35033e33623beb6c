import type { EntityData, EntityManager, EntityName } from '@mikro-orm/core';

/** What `cache` of a query can be: whether, how long in milliseconds, or under which name and how long. */
export type CacheConfig = boolean | number | [name: string, expiration: number] | undefined;

/**
 * The tenants that a query names, of its EntityManager's schema and of the key that MikroORM computes for its result: the schema among the
 * options of a `find` or `count`, and for a QueryBuilder its SQL, in which every table has its schema.
 */
export function tenantsOfCacheKey(key: unknown, own: string | undefined, publicSchema: string): string[] {
  const [kind, text, options] = key as [kind: unknown, text: unknown, options: { readonly schema?: string } | undefined];
  const schemas =
    kind === 'qb.execute' ? [...[...String(text).matchAll(QUALIFIED_TABLE)].map(([, schema]) => schema), own] : [options?.schema];

  return [...new Set(schemas)].filter(schema => schema !== undefined && schema !== publicSchema).map(String);
}

/**
 * The key of a cached result, by the name that a user gave it or by the text that MikroORM computes for its query, for each owner another. What parts
 * the name from the owners is doubled where the name has it, or a name that comes from outside, such as a search for `x|acme` on the public
 * site, would be the name of a tenant's result.
 */
export function cacheKeyOf(name: string, owners: readonly string[]): string {
  return [name.replaceAll('|', '||'), ...owners].join('|');
}

/** Makes entities of a cached result again, in the schema they were read from. */
export function fromCache(
  em: EntityManager,
  entityName: EntityName<object>,
  cached: object,
  refresh: boolean | undefined,
  schema: string | undefined,
): object {
  const create = (data: EntityData<object>): object =>
    em.getEntityFactory().create(entityName, data, {
      merge: true,
      convertCustomTypes: false,
      refresh: refresh ?? false,
      recomputeSnapshot: true,
      ...(schema === undefined ? {} : { schema }),
    });

  return Array.isArray(cached) ? cached.map(create) : create(cached);
}

const QUALIFIED_TABLE = /\b(?:from|join) "([^"]+)"\."/g;
