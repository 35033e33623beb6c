import { MigrationError, reasonOf, TenantError } from '../../errors/index.js';
import { sqlStateOf } from '../../postgres/sql-state.js';

/** What failures of tenants have in common if they have one cause. Two that are equal but for their tenant's name give the same text. */
export function causeOf(error: unknown, schemaName: string): string {
  const { migration, statement } = error instanceof MigrationError ? error : {};
  const parts = [
    error instanceof TenantError ? error.code : '',
    sqlStateOf(error) ?? '',
    migration ?? '',
    statement ?? '',
    reasonOf(rootOf(error)),
  ];

  return parts.map(part => withoutSchemaName(part, schemaName)).join('\n');
}

/** The text without the name of the schema where it is a word of its own. The letter of a tenant called `a` is in many words. */
export function withoutSchemaName(text: string, schemaName: string): string {
  return schemaName === ''
    ? text
    : text.split(schemaName).reduce((before, after) => before + (isWord(before, after) ? '*' : schemaName) + after);
}

function isWord(before: string, after: string): boolean {
  return !/[\p{L}\d_]$/u.test(before) && !/^[\p{L}\d_]/u.test(after);
}

/** The error with which it began: the others say what it means for the tenant. */
export function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
