import { DELETED_PREFIX } from '../postgres/schema-name.js';

/**
 * A condition for queries of your own on the tenant entity: the tenants that are not deleted. What this library looks up needs no condition. It can
 * be a default filter of the entity too.
 */
export const NOT_DELETED = { $not: { schemaName: { $like: `${DELETED_PREFIX.replaceAll('_', String.raw`\_`)}%` } } } as const;
