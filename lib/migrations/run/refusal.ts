import { SchemaMissingError, type InvalidSchemaNameError, type TenantError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { notOwned } from '../../database/owned-schemas.js';
import type { SchemaHistory } from '../history/histories.js';

/** The reason why a tenant cannot be migrated, whatever the plan is. */
export function refusalOf({ rules }: TenantDatabase, history: SchemaHistory, direction: 'up' | 'down'): TenantError | undefined {
  const { schemaName, hasSchema, isForeign, error } = history;

  try {
    // a row that was stored by plain SQL can have any name
    rules.checkSchemaName(schemaName);
  } catch (invalid) {
    return invalid as InvalidSchemaNameError;
  }

  if (!hasSchema) {
    return SchemaMissingError.ofTenant(schemaName);
  }

  // downwards, a schema without a history has nothing to revert
  if (direction === 'up' && isForeign) {
    return notOwned(schemaName, 'migrate');
  }

  return error;
}
