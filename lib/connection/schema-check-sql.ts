import type { TenantIdentity } from '../scope/tenant-identity.js';

/**
 * Has the session see what others have committed: within a transaction PostgreSQL goes on with the names that it has looked up, until it
 * takes a lock. This is a function that takes one, and looks at nothing of a tenant's.
 */
const CATCH_UP = `(pg_catalog.pg_get_object_address('schema', '{pg_catalog}', '{}')).objid is not null`;

/** Asks which schema has a name now, whatever the transaction's snapshot shows. */
export const SCHEMA_NOW = `select (case when ${CATCH_UP} then pg_catalog.to_regnamespace($1) end)::pg_catalog.oid::pg_catalog.text as oid`;

/**
 * A statement that fails with `CHANGED` where one of the names is another schema's now. Without parameters, so that more statements can
 * follow it in a message: a tenant's name has no sign that could end a literal, and an `oid` is a number.
 */
export function assertSchemasSql(tenants: Iterable<TenantIdentity>): string {
  const isIt = Array.from(
    tenants,
    ({ schemaName, schemaOid }) =>
      `coalesce(pg_catalog.oideq(pg_catalog.to_regnamespace('${schemaName}'), ${schemaOid}::pg_catalog.oid), false)`,
  );

  // one after the other
  return `values ${[CATCH_UP, ...isIt].map(check => `(pg_catalog.int4div(1, (${check})::pg_catalog.int4))`).join(', ')}`;
}

/** SQLSTATE of a division by zero. */
export const CHANGED = ['22012'] as const;

/** SQLSTATEs of a table and of a schema that is not there. */
export const NOT_THERE = ['42P01', '3F000'] as const;
