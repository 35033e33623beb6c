import { TableNotFoundException } from '@mikro-orm/core';
import { MigrationError, SchemaMissingError, UnknownTenantError } from '../errors.js';
import type { TenantFilter } from '../options.js';
import type { Tenancy } from '../tenancy.js';
import type { TenantMixin } from '../tenant-mixin.js';
import { History, type ExecutedMigration } from './history.js';
import { migrateSchema } from './migrate-schema.js';
import { loadMigrationSet, type MigrationSet } from './migration-set.js';
import { checkTarget, planMigrations, type MigrationTarget } from './plan.js';

/** Which tenants a run or a report is about: all of them, unless something is given. */
export interface TenantSelection {
  /** Schema names. One that no tenant has is an error before anything runs. */
  readonly only?: readonly string[];
  /** A condition on the tenant entity. */
  readonly where?: TenantFilter;
}

export interface MigrateOptions extends TenantSelection, Partial<Omit<MigrationTarget, 'only'>> {
  /** The migrations to run, where it is not the tenants that are meant. */
  readonly migrations?: readonly string[];
  /** Whether to run though the public set is behind. @default false */
  readonly skipPublicCheck?: boolean;
  /** Told of each tenant when it is done. */
  readonly onProgress?: (result: TenantRunResult) => void;
}

/** What a run did in one tenant's schema. */
export type TenantRunResult =
  | { readonly schemaName: string; readonly ok: true; readonly migrations: readonly string[] }
  | { readonly schemaName: string; readonly ok: false; readonly error: unknown };

/** What a run did, tenant by tenant, in the order of their schema names. */
export interface RunResult {
  readonly tenants: readonly TenantRunResult[];
  readonly failed: readonly Extract<TenantRunResult, { ok: false }>[];
}

/** What one tenant has and lacks. */
export interface TenantMigrationStatus {
  readonly schemaName: string;
  readonly hasSchema: boolean;
  readonly executed: readonly ExecutedMigration[];
  readonly pending: readonly string[];
  /** Migrations in the history that the set does not have, as after going back to an older version of the application. */
  readonly unknown: readonly string[];
}

/**
 * Runs the tenant set in every selected tenant, each in a transaction of its own. One that fails is rolled back and reported,
 * and the rest go on.
 *
 * @throws UnknownTenantError, MigrationError before anything runs, for names that are not there and a public set that is behind.
 */
export async function migrateTenants(tenancy: Tenancy, options: MigrateOptions = {}): Promise<RunResult> {
  const target = targetOf(options);
  const set = await loadMigrationSet(tenancy);
  checkTarget(set, target);

  if (target.direction === 'up' && options.skipPublicCheck !== true) {
    await requirePublicSet(tenancy);
  }

  const tenants = await selectTenants(tenancy, options);

  const results: TenantRunResult[] = [];

  for (const tenant of tenants) {
    const result = await migrateTenant(tenancy, tenant, set, target);
    results.push(result);
    options.onProgress?.(result);
  }

  return { tenants: results, failed: results.filter(result => !result.ok) };
}

/** What each selected tenant has and lacks. Changes nothing. */
export async function migrationStatus(tenancy: Tenancy, selection: TenantSelection = {}): Promise<TenantMigrationStatus[]> {
  const set = await loadMigrationSet(tenancy);
  const statuses: TenantMigrationStatus[] = [];

  for (const { schemaName } of await selectTenants(tenancy, selection)) {
    const executed = await new History(tenancy, schemaName).executed();
    const names = executed.map(({ name }) => name);
    statuses.push({
      schemaName,
      hasSchema: await hasSchema(tenancy, schemaName),
      executed,
      pending: planMigrations(set, names, { direction: 'up' }).map(({ name }) => name),
      unknown: names.filter(name => !set.some(migration => migration.name === name)),
    });
  }

  return statuses;
}

/**
 * The selected tenants by schema name, the public one never among them.
 *
 * @throws UnknownTenantError `TENANT_UNKNOWN`
 */
export async function selectTenants(tenancy: Tenancy, { only, where }: TenantSelection): Promise<TenantMixin<unknown>[]> {
  const all = (await findTenants(tenancy, where)).filter(tenant => !tenancy.isPublicTenant(tenant));

  if (only === undefined || only.length === 0) {
    return all;
  }

  const unknown = only.filter(name => !all.some(({ schemaName }) => schemaName === name));

  if (unknown.length > 0) {
    throw new UnknownTenantError(unknown);
  }

  return all.filter(({ schemaName }) => only.includes(schemaName));
}

async function migrateTenant(
  tenancy: Tenancy,
  tenant: TenantMixin<unknown>,
  set: MigrationSet,
  target: MigrationTarget,
): Promise<TenantRunResult> {
  const { schemaName } = tenant;

  try {
    const migrations = await tenancy.orm.em.getConnection('write').transactional(async ctx => {
      if (!(await hasSchema(tenancy, schemaName, ctx))) {
        throw new SchemaMissingError(schemaName);
      }

      return migrateSchema(tenancy, { ...target, tenant, set, ctx });
    });

    return { schemaName, ok: true, migrations };
  } catch (error) {
    return { schemaName, ok: false, error };
  }
}

// before the public set has run there is no table of tenants either
async function findTenants(tenancy: Tenancy, where: TenantFilter | undefined): Promise<readonly TenantMixin<unknown>[]> {
  try {
    return await tenancy.findTenants(where);
  } catch (error) {
    if (error instanceof TableNotFoundException) {
      await requirePublicSet(tenancy);
    }

    throw error;
  }
}

async function requirePublicSet(tenancy: Tenancy): Promise<void> {
  const pending = await tenancy.orm.migrator.getPending();

  if (pending.length > 0) {
    throw MigrationError.publicSetBehind(pending.map(({ name }) => name));
  }
}

async function hasSchema(tenancy: Tenancy, schemaName: string, ctx?: unknown): Promise<boolean> {
  return (await tenancy.execute('select 1 from pg_namespace where nspname = ?', [schemaName], ctx)).length > 0;
}

function targetOf({ direction = 'up', to, from, migrations }: MigrateOptions): MigrationTarget {
  return {
    direction,
    ...(to === undefined ? {} : { to }),
    ...(from === undefined ? {} : { from }),
    ...(migrations === undefined ? {} : { only: migrations }),
  };
}
