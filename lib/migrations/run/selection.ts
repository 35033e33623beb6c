import { DriverException } from '@mikro-orm/core';
import { MigrationError, RunUsageError, UnknownTenantError } from '../../errors/index.js';
import type { TenantFilter } from '../../tenant/options.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { isOfDataOrSyntax, lacksTable } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** Selects the tenants of a run or a report. By default, all tenants. */
export interface TenantSelection<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  /** Schema names to include. An unknown name is an error before anything runs. */
  readonly only?: readonly string[];
  /** Schema names to exclude. An unknown name is an error before anything runs. */
  readonly skip?: readonly string[];
  /** A condition on the tenant entity. */
  readonly where?: TenantFilter<Tenant>;
}

/**
 * The schema names of the selected tenants, in order, without public tenants.
 *
 * @throws UnknownTenantError `TENANT_UNKNOWN`
 * @throws RunUsageError `RUN_USAGE` for a condition that is not valid for the tenant entity.
 */
export async function selectSchemaNames(database: TenantDatabase, { only = [], skip = [], where }: TenantSelection): Promise<string[]> {
  const all = await findNames(database, where);
  const known = new Set(all);
  const unknown = [...only, ...skip].filter(name => !known.has(name));

  if (unknown.length > 0) {
    throw new UnknownTenantError(unknown);
  }

  const [included, excluded] = [new Set(only), new Set(skip)];

  return all.filter(name => (included.size === 0 || included.has(name)) && !excluded.has(name));
}

/** @throws MigrationError `PUBLIC_SET_BEHIND` */
export async function requirePublicSet(database: TenantDatabase): Promise<void> {
  const pending = await pendingOfPublicSet(database);

  if (pending.length > 0) {
    // MikroORM takes every migration for pending where it cannot look: where the server is away, the role lacks a right, or a time-out is short
    await database.execute('select 1', [], undefined);
    await database.orm.migrator.getStorage().ensureTable?.();
    throw MigrationError.publicSetBehind(pending.map(({ name }) => name));
  }
}

/** The migrations of the public set that the primary lacks. A replica may not have been told of the latest. */
async function pendingOfPublicSet(database: TenantDatabase): Promise<{ readonly name: string }[]> {
  const { migrator, config, em } = database.orm;

  if ((config.get('replicas') ?? []).length === 0) {
    return migrator.getPending();
  }

  // what runs in a transaction goes to the primary. A migrator of its own, because it keeps the transaction in its state
  const own = new (migrator.constructor as new (em: unknown) => typeof migrator)(em);

  return database.inTransaction(async ctx => {
    own.getStorage().setMasterMigration(ctx);

    return own.getPending();
  });
}

// before the public set has run, the tenants' table does not exist
async function findNames(database: TenantDatabase, where: TenantFilter | undefined): Promise<string[]> {
  try {
    return await database.tenants.findSchemaNames(where);
  } catch (error) {
    if (lacksTable(error)) {
      const pending = await pendingOfPublicSet(database);

      if (pending.length > 0) {
        throw MigrationError.publicSetNotRun(pending.map(({ name }) => name));
      }
    } else if (where !== undefined && (!(error instanceof DriverException) || isOfDataOrSyntax(error))) {
      throw RunUsageError.condition(where, error);
    }

    throw error;
  }
}
