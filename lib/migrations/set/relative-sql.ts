import { MigrationError } from '../../errors/index.js';
import { PLACEHOLDER_SCHEMA, quoteIdentifier } from '../../postgres/schema-name.js';

/** Stands for the public schema while a migration of the tenant set is generated. */
export const SHARED_PLACEHOLDER = `${PLACEHOLDER_SCHEMA}_shared`;

/**
 * The SQL without the tenant's placeholder, so that each statement applies to the schema in which the migration runs, and with the public
 * schema in the place of the other one.
 *
 * @throws MigrationError `MIGRATION_NOT_RELATIVE` for a name in a string or in the body of a function. PostgreSQL looks it up whenever it is
 * used, on the path of whoever uses it.
 */
export function relativeSql(sql: string, publicSchema: string): string {
  const relative = sql
    .replaceAll(`"${SHARED_PLACEHOLDER}".`, `${quoteIdentifier(publicSchema)}.`)
    .replaceAll(PART, part => (isOpen(part) ? part.replaceAll(OWN_PREFIX, '') : part));
  const refused = relative.split(/;\n/).filter(statement => isLeftIn(statement));

  if (refused.length > 0) {
    throw MigrationError.notRelative(refused.map(statement => statement.trim().replaceAll(PLACEHOLDER_SCHEMA, '*')));
  }

  return relative;
}

function isLeftIn(statement: string): boolean {
  return statement.includes(PLACEHOLDER_SCHEMA) || WILDCARD.test(statement.replaceAll(STRINGS, "''"));
}

// PostgreSQL looks up the name of a sequence or table at once where it is cast
function isOpen(part: string): boolean {
  return part.startsWith("'") ? part.endsWith('::regclass') : !part.startsWith('$');
}

const STRING = `'(?:[^']|'')*'`;

const STRINGS = new RegExp(STRING, 'g');

// MikroORM quotes the name. An expression of the user may contain the qualified table name without quotes
const OWN = `"${PLACEHOLDER_SCHEMA}"\\.|\\b${PLACEHOLDER_SCHEMA}\\.`;

const OWN_PREFIX = new RegExp(OWN, 'g');

// a string, the body of a function, the prefix, and any other quoted name
const PART = new RegExp(`${STRING}(?:::regclass\\b)?|\\$(\\w*)\\$[\\s\\S]*?\\$\\1\\$|${OWN}|"(?:[^"]|"")*"`, 'g');

// the schema that MikroORM gives a tenant entity. Not the `*` of `count(*)`, of a product or of `b.*`
const WILDCARD = /"\*"\s*\.|(?<![\w".*)])\s\*\.(?=["a-z_])/i;
