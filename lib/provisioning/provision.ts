import type { Transaction } from '@mikro-orm/core';
import {
  MigrationError,
  ProvisioningError,
  SchemaExistsError,
  StorageFullError,
  TenantError,
  TenantNodeUnavailableError,
} from '../errors/index.js';
import { refuseLocalTables } from '../database/citus/local-tables.js';
import { migrateSchema } from '../migrations/run/migrate-schema.js';
import { callInTransaction } from '../orm/tenant-hooks.js';
import { loadMigrationSet } from '../migrations/set/migration-set.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { lockTenant } from '../database/tenant-lock.js';
import { observed } from '../scope/observer.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import type { Created, SchemaFiller } from './consent.js';
import { notingFailure } from './noting-failure.js';
import { createRoleSql, explainRoleError } from './roles.js';
import { checkNewName, createSchemaSql, DUPLICATE_SCHEMA, lockingNewName, refuseWaiting } from './schemas.js';

/**
 * Creates a tenant's schema and runs the tenant set in it, in the given transaction. If the migrations allow it, everything is sent in one
 * message. Takes the tenant's lock, like a run of migrations. The expressions in `after` are evaluated at its end.
 *
 * @throws ProvisioningError `TENANT_NOT_PROVISIONED` with tenant, schema, migration and cause.
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 * @throws TenantRoleError `TENANT_ROLE_EXISTS`
 */
export async function provision(
  database: TenantDatabase,
  tenant: TenantMixin<unknown>,
  options: { readonly ctx: Transaction; readonly after?: readonly string[]; readonly created?: Created },
): Promise<void> {
  const { schemaName } = tenant;

  await notingFailure(database, { operation: 'create', schemaName, ctx: options.ctx }, () =>
    observed(database.rules, { name: 'create', schemaName }, () => create(database, tenant, options)),
  );
}

async function create(
  database: TenantDatabase,
  tenant: TenantMixin<unknown>,
  {
    ctx,
    after = [],
    created = { by: 'create' },
  }: { readonly ctx: Transaction; readonly after?: readonly string[]; readonly created?: Created },
): Promise<void> {
  const { schemaName } = tenant;

  try {
    await callInTransaction(database, 'beforeCreate', { ctx, schemaName, tenant, ...created });
    await checkNewName(database, schemaName, ctx);
    await migrateSchema(database, {
      schemaName,
      tenant,
      ctx,
      direction: 'up',
      planned: await loadMigrationSet(database),
      before: [...(await createSchemaSql(database, schemaName, ctx)), ...(await createRoleSql(database, schemaName, ctx))],
      after,
      isNew: true,
      opening: lockingNewName(database, schemaName, ctx),
    });
    await callInTransaction(database, 'afterCreate', { ctx, schemaName, tenant, ...created });
  } catch (error) {
    throw toProvisioningError(explainRoleError(error, database, schemaName), tenant);
  }
}

/**
 * Creates a tenant's schema in the given transaction, and has `fill` make what is in it. Hooks are called as they are for `provision()`.
 *
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 * @throws TenantRoleError `TENANT_ROLE_EXISTS`
 */
export async function provisionFilled(database: TenantDatabase, tenant: TenantMixin<unknown>, options: FilledOptions): Promise<void> {
  const { schemaName } = tenant;

  await notingFailure(database, { operation: 'create', schemaName, ctx: options.ctx }, () =>
    observed(database.rules, { name: 'create', schemaName }, () => createFilled(database, tenant, options)),
  );
}

export interface FilledOptions {
  readonly ctx: Transaction;
  readonly fill: SchemaFiller;
  readonly created: Created;
}

async function createFilled(database: TenantDatabase, tenant: TenantMixin<unknown>, { ctx, fill, created }: FilledOptions): Promise<void> {
  const { schemaName } = tenant;
  await callInTransaction(database, 'beforeCreate', { ctx, schemaName, tenant, ...created });

  try {
    await checkNewName(database, schemaName, ctx);
    await lockTenant(database, schemaName, ctx);
    await refuseWaiting(database, schemaName, ctx);

    for (const sql of [...(await createSchemaSql(database, schemaName, ctx)), ...(await createRoleSql(database, schemaName, ctx))]) {
      await database.execute(sql, [], ctx);
    }
  } catch (error) {
    throw toProvisioningError(explainRoleError(error, database, schemaName), tenant);
  }

  try {
    await fill(schemaName, ctx);
    await refuseLocalTables(database, schemaName, { ctx });
  } catch (error) {
    throw hasSqlState(error, DISK_FULL) ? new StorageFullError(ACTIONS[created.by] ?? 'created', schemaName, error) : error;
  }

  await callInTransaction(database, 'afterCreate', { ctx, schemaName, tenant, ...created });
}

function nodeUnavailableIn(error: unknown): TenantNodeUnavailableError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TenantNodeUnavailableError) {
      return cause;
    }
  }

  return undefined;
}

function toProvisioningError(error: unknown, { domainUrl, schemaName }: TenantMixin<unknown>): unknown {
  const away = nodeUnavailableIn(error);

  if (away !== undefined) {
    return away;
  }

  if (!(error instanceof MigrationError) && hasSqlState(error, DUPLICATE_SCHEMA)) {
    return new SchemaExistsError(schemaName, { cause: error });
  }

  const migration = error instanceof MigrationError ? error.migration : undefined;

  if (hasSqlState(error, DISK_FULL)) {
    return new StorageFullError('created', schemaName, error);
  }

  // such an error already explains the failure
  if (error instanceof TenantError && migration === undefined) {
    return error;
  }

  const cause = error instanceof MigrationError && error.code === 'MIGRATION_FAILED' ? error.cause : error;

  return new ProvisioningError(JSON.stringify(domainUrl), schemaName, migration, cause);
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const DISK_FULL = ['53100'] as const;

const ACTIONS: Partial<Record<Created['by'], string>> = { clone: 'cloned', import: 'imported' };
