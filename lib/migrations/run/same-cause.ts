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

  return parts.map(part => part.replaceAll(schemaName, '*')).join('\n');
}

function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
