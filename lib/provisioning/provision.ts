import type { Transaction } from '@mikro-orm/core';
import { MigrationError, ProvisioningError, TenantError } from '../errors.js';
import { loadMigrationSet } from '../migrations/migration-set.js';
import { migrateSchema } from '../migrations/migrate-schema.js';
import type { Tenancy } from '../tenancy.js';
import type { TenantMixin } from '../tenant-mixin.js';
import { createSchema } from './schemas.js';

/**
 * Creates a tenant's schema and runs the tenant set in it, all in the given transaction.
 *
 * @throws ProvisioningError `TENANT_NOT_PROVISIONED` naming tenant, schema, migration and cause.
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 */
export async function provision(tenancy: Tenancy, tenant: TenantMixin<unknown>, ctx: Transaction): Promise<void> {
  const { schemaName } = tenant;

  try {
    await createSchema(tenancy, schemaName, ctx);
    await migrateSchema(tenancy, { tenant, ctx, set: await loadMigrationSet(tenancy), direction: 'up' });
  } catch (error) {
    const migration = error instanceof MigrationError ? error.migration : undefined;

    // what already says what happened needs no second wrapping
    if (error instanceof TenantError && migration === undefined) {
      throw error;
    }

    const cause = error instanceof MigrationError && error.code === 'MIGRATION_FAILED' ? error.cause : error;
    throw new ProvisioningError(`${JSON.stringify(tenant.domainUrl)}`, schemaName, migration, cause);
  }
}
