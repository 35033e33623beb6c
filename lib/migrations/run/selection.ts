import { DriverException, TableNotFoundException } from '@mikro-orm/core';
import { MigrationError, RunUsageError, UnknownTenantError } from '../../errors/index.js';
import type { TenantFilter } from '../../tenant/options.js';
import { isOfDataOrSyntax } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** Which tenants a run or a report is about: all of them, unless something is given. */
export interface TenantSelection {
  /** Schema names. One that no tenant has is an error before anything runs. */
  readonly only?: readonly string[];
  /** Schema names to leave out. One that no tenant has is an error before anything runs. */
  readonly skip?: readonly string[];
  /** A condition on the tenant entity. */
  readonly where?: TenantFilter;
}

/**
 * The schema names of the selected tenants, in order; the public one is never among them.
 *
 * @throws UnknownTenantError `TENANT_UNKNOWN`
 * @throws RunUsageError `RUN_USAGE` for a condition that the tenant entity cannot be asked.
 */
export async function selectSchemaNames(database: TenantDatabase, { only = [], skip = [], where }: TenantSelection): Promise<string[]> {
  const all = await findNames(database, where);
  const known = new Set(all);
  const unknown = [...only, ...skip].filter(name => !known.has(name));

  if (unknown.length > 0) {
    throw new UnknownTenantError(unknown);
  }

  return all.filter(name => (only.length === 0 || only.includes(name)) && !skip.includes(name));
}

/** @throws MigrationError `PUBLIC_SET_BEHIND` */
export async function requirePublicSet(database: TenantDatabase): Promise<void> {
  const pending = await database.orm.migrator.getPending();

  if (pending.length > 0) {
    throw MigrationError.publicSetBehind(pending.map(({ name }) => name));
  }
}

// before the public set has run there is no table of tenants either
async function findNames(database: TenantDatabase, where: TenantFilter | undefined): Promise<string[]> {
  try {
    return await database.tenants.findSchemaNames(where);
  } catch (error) {
    if (error instanceof TableNotFoundException) {
      await requirePublicSet(database);
    } else if (where !== undefined && (!(error instanceof DriverException) || isOfDataOrSyntax(error))) {
      throw RunUsageError.condition(where, error);
    }

    throw error;
  }
}
