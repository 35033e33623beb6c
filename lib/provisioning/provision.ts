import type { Transaction } from '@mikro-orm/core';
import { MigrationError, ProvisioningError, SchemaExistsError, TenantError } from '../errors/index.js';
import { migrateSchema } from '../migrations/run/migrate-schema.js';
import { loadMigrationSet } from '../migrations/set/migration-set.js';
import { lockTenant } from '../database/tenant-lock.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { createRoleSql, explainRoleError } from './roles.js';
import { checkNewName, createSchemaSql, DUPLICATE_SCHEMA, refuseWaiting } from './schemas.js';

/**
 * Creates a tenant's schema and runs the tenant set in it, in the given transaction. If the migrations allow it, everything is sent in one
 * message. Takes the tenant's lock, like a run of migrations.
 *
 * @throws ProvisioningError `TENANT_NOT_PROVISIONED` with tenant, schema, migration and cause.
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 * @throws TenantRoleError `TENANT_ROLE_EXISTS`
 */
export async function provision(database: TenantDatabase, tenant: TenantMixin<unknown>, ctx: Transaction): Promise<void> {
  const { schemaName } = tenant;

  try {
    await checkNewName(database, schemaName, ctx);
    await lockTenant(database, schemaName, ctx);
    await refuseWaiting(database, schemaName, ctx);
    await migrateSchema(database, {
      schemaName,
      tenant,
      ctx,
      direction: 'up',
      planned: await loadMigrationSet(database),
      before: [...createSchemaSql(database, schemaName), ...createRoleSql(database, schemaName)],
      isNew: true,
    });
  } catch (error) {
    throw toProvisioningError(explainRoleError(error, database, schemaName), tenant);
  }
}

function toProvisioningError(error: unknown, { domainUrl, schemaName }: TenantMixin<unknown>): unknown {
  if (!(error instanceof MigrationError) && hasSqlState(error, DUPLICATE_SCHEMA)) {
    return new SchemaExistsError(schemaName, { cause: error });
  }

  const migration = error instanceof MigrationError ? error.migration : undefined;

  // such an error already explains the failure
  if (error instanceof TenantError && migration === undefined) {
    return error;
  }

  const cause = error instanceof MigrationError && error.code === 'MIGRATION_FAILED' ? error.cause : error;

  return new ProvisioningError(JSON.stringify(domainUrl), schemaName, migration, cause);
}
