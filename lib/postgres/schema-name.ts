import { InvalidSchemaNameError } from '../errors/index.js';

/**
 * A checked schema name: `^[a-z_][a-z0-9_]*$`, at most 63 bytes, not reserved. Only `parseSchemaName` returns this type, so a `SchemaName` is
 * safe to quote into SQL.
 */
export type SchemaName = string & { readonly [brand]: true };

/** Names that a tenant may not have, in addition to those that PostgreSQL reserves. */
export interface ReservedNames {
  readonly publicSchema: string;
  readonly reserved: readonly (string | RegExp)[];
  /** Schemas with tables of shared entities. */
  readonly shared?: ReadonlySet<string>;
  /** Schemas in which every tenant's raw SQL looks for names. */
  readonly searched?: readonly string[];
}

/**
 * Stands for the tenant's schema while a tenant migration is generated. The generator removes it from the SQL afterwards. No tenant may have
 * this name.
 */
export const PLACEHOLDER_SCHEMA = 'landlord_placeholder';

/**
 * How the schema of a tenant is called that was deleted and can be restored. Its row has the same name. No tenant may have such a name, so no scope
 * of it can be entered, and every path that finds tenants takes such a row for none.
 */
export const DELETED_PREFIX = 'landlord_deleted_';

/** Whether the name is that of a tenant that was deleted and can be restored. */
export function isDeletedName(schemaName: string): boolean {
  return schemaName.startsWith(DELETED_PREFIX);
}

/**
 * Checks a tenant's schema name.
 *
 * @throws InvalidSchemaNameError `SCHEMA_NAME_INVALID` or `SCHEMA_NAME_RESERVED`, with the rule that was broken.
 */
export function parseSchemaName(name: unknown, names: ReservedNames): SchemaName {
  if (typeof name !== 'string') {
    throw new InvalidSchemaNameError(name, 'it is not a string');
  }

  // an unanchored or multi-line pattern would accept `acme\n`, which is a different identifier in PostgreSQL
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) {
    throw new InvalidSchemaNameError(name, 'it does not match ^[a-z_][a-z0-9_]*$');
  }

  // PostgreSQL truncates longer identifiers without an error, so two names could mean the same schema
  if (name.length > MAX_BYTES) {
    throw new InvalidSchemaNameError(name, `it is longer than ${MAX_BYTES} bytes`);
  }

  const rule = reservedBy(name, names);

  if (rule !== undefined) {
    throw new InvalidSchemaNameError(name, rule, 'SCHEMA_NAME_RESERVED');
  }

  return name as SchemaName;
}

/** Quotes a name as an SQL identifier. No other code does so. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a table name with its schema. */
export function quoteTable(schemaName: string, tableName: string): string {
  return `${quoteIdentifier(schemaName)}.${quoteIdentifier(tableName)}`;
}

/**
 * The role of a tenant.
 *
 * @throws InvalidSchemaNameError `SCHEMA_NAME_INVALID` if PostgreSQL would truncate the name, because two tenants could then have the same role.
 */
export function roleOfTenant({ prefix }: { readonly prefix: string }, schemaName: string): string {
  const role = `${prefix}${schemaName}`;

  if (role.length > MAX_BYTES) {
    throw new InvalidSchemaNameError(schemaName, `its role ${JSON.stringify(role)} is longer than ${MAX_BYTES} bytes`);
  }

  return role;
}

/** A `search_path` of exactly these schemas. Each is quoted, because PostgreSQL folds the case of unquoted names. */
export function searchPathOf(...schemaNames: readonly string[]): string {
  return schemaNames.map(quoteIdentifier).join(', ');
}

/** The names of a path that PostgreSQL tells, read as PostgreSQL reads it. */
export function namesOfPath(told: string): string[] {
  return [...told.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)].map(([name, quoted]) =>
    quoted === undefined ? name.replaceAll(/[A-Z]/g, letter => letter.toLowerCase()) : quoted.replaceAll('""', '"'),
  );
}

function reservedBy(name: string, { publicSchema, reserved, shared, searched }: ReservedNames): string | undefined {
  if (name === publicSchema || name === 'public') {
    return 'it is the public schema, which is not a tenant';
  }

  if (name.startsWith('pg_')) {
    return 'names that start with pg_ are reserved for PostgreSQL';
  }

  if (name === 'information_schema') {
    return 'it is the SQL standard’s own schema';
  }

  if (CITUS.has(name)) {
    return 'it is a schema of Citus';
  }

  if (name === PLACEHOLDER_SCHEMA) {
    return 'the migration generator uses it';
  }

  if (isDeletedName(name)) {
    return `names that start with ${DELETED_PREFIX} are those of deleted tenants`;
  }

  if (shared?.has(name) === true) {
    return 'shared entities have their tables in it';
  }

  if (searched?.includes(name) === true) {
    return '`searchPath` contains it, so the raw SQL of all tenants would find its tables';
  }

  const own = reserved.find(rule => (typeof rule === 'string' ? rule === name : occursIn(name, rule)));

  return own === undefined ? undefined : `\`reservedSchemaNames\` contains ${String(own)}`;
}

// `test()` would start at the last match of a global pattern, and a sticky pattern matches at one position only
function occursIn(name: string, pattern: RegExp): boolean {
  return name.search(pattern.sticky ? new RegExp(pattern.source, pattern.flags.replace('y', '')) : pattern) !== -1;
}

const MAX_BYTES = 63;

/** Reserved on every engine, because a tenant may move to Citus later. */
const CITUS: ReadonlySet<string> = new Set(['citus', 'citus_internal', 'columnar', 'columnar_internal']);

declare const brand: unique symbol;
