import type { TenantIdentity } from '../../scope/tenant-identity.js';

/**
 * Has the session see what others have committed: within a transaction PostgreSQL goes on with the names that it has looked up, until it
 * takes a lock. This is a function that takes one, and looks at nothing of a tenant's.
 */
const CATCH_UP = `(pg_catalog.pg_get_object_address('schema', '{pg_catalog}', '{}')).objid is not null`;

/** Asks which schema has a name now, whatever the transaction's snapshot shows, and for the schema's mark. */
export const SCHEMA_NOW =
  'select now.oid::pg_catalog.text as oid, n.xmin::pg_catalog.text as mark from ' +
  `(select (case when ${CATCH_UP} then pg_catalog.to_regnamespace($1) end)::pg_catalog.oid as oid) as now ` +
  'left join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) now.oid';

/**
 * A statement that fails with `CHANGED` where one of the names is another schema's now, or where a schema has another mark; it has no rows and no
 * columns otherwise, as the answer comes with every write. Without parameters, so that more statements can follow it in a message: a tenant's name
 * has no sign that could end a literal, and an `oid` and a mark are numbers.
 */
export function assertSchemasSql(tenants: readonly HeldTenant[]): string {
  const first = tenants[0];

  return tenants.length === 1 && first !== undefined ? textsOf(first).check : assertAllSql(tenants);
}

/** The same, and the commit after it in one message. */
export function commitSql(tenants: readonly HeldTenant[]): string {
  const first = tenants[0];

  return tenants.length === 1 && first !== undefined ? textsOf(first).commit : commitAfter(assertAllSql(tenants));
}

/** A tenant that a transaction is held to, and the mark where its schema must have had its name throughout. */
export interface HeldTenant {
  readonly identity: TenantIdentity;
  readonly mark: string | undefined;
}

// a tenant writes more than once
function textsOf(tenant: HeldTenant): Texts {
  const { identity, mark } = tenant;
  let texts = ofOne.get(identity);

  if (texts?.mark !== mark || texts === undefined) {
    const check = assertAllSql([tenant]);
    texts = { mark, check, commit: commitAfter(check) };
    ofOne.set(identity, texts);
  }

  return texts;
}

function commitAfter(check: string): string {
  return `${check}; commit`;
}

function assertAllSql(tenants: readonly HeldTenant[]): string {
  // one after the other, as PostgreSQL computes the arguments of a function in their order
  const divided = [CATCH_UP, ...tenants.map(isItSql)].reduce(
    (sql, check) => `pg_catalog.int4div(${sql}, (${check})::pg_catalog.int4)`,
    '1',
  );

  return `select where pg_catalog.int4eq(${divided}, 0)`;
}

function isItSql({ identity: { schemaName, schemaOid }, mark }: HeldTenant): string {
  const hasName = `pg_catalog.oideq(pg_catalog.to_regnamespace('${schemaName}'), ${schemaOid}::pg_catalog.oid)`;
  const row = `select n.xmin from pg_catalog.pg_namespace n where n.oid operator(pg_catalog.=) ${schemaOid}::pg_catalog.oid`;

  return `coalesce(${mark === undefined ? hasName : `${hasName} and pg_catalog.xideq((${row}), '${mark}'::pg_catalog.xid)`}, false)`;
}

const ofOne = new WeakMap<TenantIdentity, Texts>();

interface Texts {
  readonly mark: string | undefined;
  readonly check: string;
  readonly commit: string;
}

/** SQLSTATE of a division by zero. */
export const CHANGED = ['22012'] as const;

/**
 * Whether a division by zero in the message that commits is that of the check. All else in it is what was deferred until then, which is run by
 * triggers: PostgreSQL says where in a function it has failed.
 */
export function isOfCheck(error: unknown): boolean {
  const { routine, where } = (error ?? {}) as { readonly routine?: unknown; readonly where?: unknown };

  return routine === 'int4div' && where === undefined;
}

/** SQLSTATEs of a table and of a schema that is not there. */
export const NOT_THERE = ['42P01', '3F000'] as const;
