import { LockMode, wrap } from '@mikro-orm/core';
import { PublicContextRequiredError, UnknownTenantError } from '../errors/index.js';
import { History, type ExecutedMigration } from '../migrations/history/history.js';
import { changeHistories, previewChange, type ChangeHistoryOptions, type HistoryChange } from '../migrations/run/change-histories.js';
import { findDrift, type DriftReport } from '../migrations/run/drift.js';
import { readMadeSchema } from '../migrations/run/made-schema.js';
import { previewRun, type RunPreview } from '../migrations/run/preview.js';
import { previewRollUp, rollUp, type RollUpOptions, type RollUpResult } from '../migrations/run/roll-up.js';
import { migrateTenants } from '../migrations/run/run.js';
import type { MigrateOptions, RunResult } from '../migrations/run/run-types.js';
import { selectSchemaNames, type TenantSelection } from '../migrations/run/selection.js';
import { migrationHistories, migrationStatus, type MigrationStatus, type TenantHistory } from '../migrations/run/status.js';
import {
  createTenantMigration,
  hasTenantChanges,
  type CreatedMigration,
  type CreateMigrationOptions,
} from '../migrations/set/tenant-migrator.js';
import type { OrmOption } from '../scope/live-orms.js';
import { publicScope } from '../scope/make-scope.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { reportServer, type ServerReport } from '../database/server-report.js';
import { findOwnedSchemas } from '../database/owned-schemas.js';
import { lacksTable } from '../postgres/sql-state.js';
import { NOT_CACHED } from '../database/tenants-table.js';
import { Tenancy } from '../tenancy.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { NewTenant, TenantMixin } from '../tenant/tenant-mixin.js';
import { giveConsent } from '../provisioning/consent.js';
import { provision } from '../provisioning/provision.js';
import { createRole } from '../provisioning/roles.js';
import { dropSchema } from '../provisioning/schemas.js';

export interface CreateTenantOptions {
  /** Whether the schema is created now. @default what the class or the options say */
  readonly autoCreateSchema?: boolean;

  /**
   * Gives the tenant the schema of its name that is there, with all that is in it: for example the one that was kept when a tenant was deleted.
   * Nothing is created or migrated. Only a schema that the library made can be adopted, and nothing checks whose data is in it.
   *
   * @default false: a schema that is there is refused
   */
  readonly adoptSchema?: boolean;
}

export interface DropTenantOptions {
  /**
   * Drops what depends on the schema from outside of it too: views, foreign keys, and whole tables and columns with their data.
   *
   * @default false: it is listed in an error, and nothing is dropped
   */
  readonly cascade?: boolean;
}

export interface RenameTenantOptions {
  /**
   * Renames the schema even if functions or settings outside of it have its name in their text. They fail afterwards, or reach the next
   * schema of that name, until they are changed.
   *
   * @default false: they are listed in an error, and nothing is renamed
   */
  readonly force?: boolean;
}

/** Creates, changes and migrates tenants without an `em`. Every method works in the public scope. */
export class TenantService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  readonly #tenancy: Tenancy;
  readonly #database: TenantDatabase;

  /** For `tenants()`, which makes it. */
  constructor(tenancy: Tenancy) {
    this.#tenancy = tenancy;
    this.#database = tenancy.database;
  }

  /** The selected tenants, sorted by schema name, without public tenants. */
  async list(selection: TenantSelection<Tenant> = {}): Promise<Tenant[]> {
    const names = await selectSchemaNames(this.#database, selection);

    return (await this.#database.tenants.findAll({ schemaName: { $in: names } })) as Tenant[];
  }

  /**
   * Creates a tenant: row, schema and tables in one transaction.
   *
   * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
   * @throws TenantSettingError `TENANT_SETTING_REFUSED` where the data has a setting in it; settings are the second argument.
   */
  async create(data: NewTenant<Tenant>, { autoCreateSchema, adoptSchema }: CreateTenantOptions = {}): Promise<Tenant> {
    return this.#inPublic('created', async em => {
      const tenant = em.create(this.#database.options.tenant, data as never);
      giveConsent(tenant, { adoptSchema });

      if (autoCreateSchema !== undefined) {
        tenant.autoCreateSchema = autoCreateSchema;
      }

      await em.persistAndFlush(tenant);

      return tenant as Tenant;
    });
  }

  /**
   * Creates the schema and tables of a tenant that was stored with `autoCreateSchema: false`.
   *
   * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
   */
  async provision(tenant: Tenant | string): Promise<void> {
    await this.#inPublic('provisioned', em =>
      em.transactional(async tx => provision(this.#database, await this.#load(tx, tenant), { ctx: tx.getTransactionContext() })),
    );
  }

  /**
   * Creates the database role of a tenant that was created before the option `roles` was set.
   *
   * @throws TenantRoleError `TENANT_ROLE_EXISTS`
   */
  async createRole(tenant: Tenant | string): Promise<void> {
    await this.#inPublic('given a role', em =>
      em.transactional(async tx => createRole(this.#database, (await this.#load(tx, tenant)).schemaName, tx.getTransactionContext())),
    );
  }

  /**
   * Deletes the tenant's row and drops its schema with all data, regardless of `autoDropSchema`. This cannot be undone.
   *
   * @throws SchemaInUseError `SCHEMA_IN_USE` if something outside of the schema depends on it, such as a view in the public schema.
   */
  async drop(tenant: Tenant | string, { cascade }: DropTenantOptions = {}): Promise<void> {
    await this.#inPublic('deleted', em =>
      em.transactional(async tx => {
        const row = await this.#load(tx, tenant);
        const { schemaName } = row;
        row.autoDropSchema = false;
        tx.remove(row);
        await tx.flush();
        await dropSchema(this.#database, schemaName, { ctx: tx.getTransactionContext(), cascade });
      }),
    );
  }

  /**
   * Changes the schema name of the tenant and renames its schema.
   *
   * @throws SchemaInUseError `SCHEMA_IN_USE` if something outside of the schema, such as a function, has its name in its text.
   */
  async rename(tenant: Tenant | string, schemaName: string, { force }: RenameTenantOptions = {}): Promise<void> {
    await this.#inPublic('renamed', em =>
      em.transactional(async tx => {
        const row = await this.#load(tx, tenant);
        giveConsent(row, { force });
        row.schemaName = schemaName;
      }),
    );
  }

  /** Runs the migrations of the tenant set in the selected tenants. */
  async migrate(options: MigrateOptions<Tenant> = {}): Promise<RunResult> {
    return this.#inPublic('migrated', () => migrateTenants(this.#database, options));
  }

  /** Returns what `migrate` would do, without doing it. */
  async preview(options: MigrateOptions<Tenant> = {}): Promise<RunPreview[]> {
    return previewRun(this.#database, options);
  }

  /** Records a migration as executed in the histories of the selected tenants, without running it. */
  async logMigration(name: string, options: ChangeHistoryOptions = {}): Promise<RunResult> {
    return this.changeHistories({ kind: 'log', name }, options);
  }

  /** Removes a migration from the histories of the selected tenants, without reverting it. */
  async unlogMigration(name: string, options: ChangeHistoryOptions = {}): Promise<RunResult> {
    return this.changeHistories({ kind: 'unlog', name }, options);
  }

  /** Gives a migration whose file was renamed its new name in the histories of the selected tenants. */
  async renameMigration(from: string, to: string, options: ChangeHistoryOptions = {}): Promise<RunResult> {
    return this.changeHistories({ kind: 'rename', name: from, to }, options);
  }

  /** Combines all migrations of the tenant set into one file, and records it in the place of the others in the histories of all tenants. */
  async rollUpMigrations(options: RollUpOptions = {}): Promise<RollUpResult> {
    return this.#inPublic('migrated', () => rollUp(this.#database, options));
  }

  /** What `rollUpMigrations()` would record, and for which tenants it would be refused. Nothing is kept. */
  async previewRollUp(): Promise<RunPreview[]> {
    return this.#inPublic('migrated', () => previewRollUp(this.#database));
  }

  /** @internal */
  async changeHistories(change: HistoryChange, options: ChangeHistoryOptions): Promise<RunResult> {
    return this.#inPublic('migrated', () => changeHistories(this.#database, change, options));
  }

  /** @internal */
  async previewChange(change: HistoryChange, options: ChangeHistoryOptions): Promise<RunPreview[]> {
    return previewChange(this.#database, change, options);
  }

  /** The applied migrations of one tenant, oldest first. */
  async history(schemaName: string): Promise<ExecutedMigration[]> {
    return new History(this.#database, this.#database.rules.checkSchemaName(schemaName)).executed();
  }

  /** The applied migrations of each selected tenant, in a few statements for all of them. */
  async histories(selection: TenantSelection = {}): Promise<TenantHistory[]> {
    return migrationHistories(this.#database, selection);
  }

  /** The applied and pending migrations of each selected tenant, and the schemas created by the library that no longer have a tenant. */
  async status(selection: TenantSelection<Tenant> = {}): Promise<MigrationStatus> {
    return migrationStatus(this.#database, selection);
  }

  /** Compares the objects in each selected tenant's schema with what the tenant set makes. Tenants that are not up to date are left out. */
  async drift(selection: TenantSelection<Tenant> = {}): Promise<DriftReport> {
    return this.#inPublic('compared', () => findDrift(this.#database, selection));
  }

  /** Compares the server's settings with the number of tenants and tables. Changes nothing. */
  async serverReport(): Promise<ServerReport> {
    return this.#inPublic('counted', async () => reportServer(this.#database, (await selectSchemaNames(this.#database, {})).length));
  }

  /** Writes the next migration of the tenant set. `fileName` is empty if the tenant entities have not changed. */
  async createMigration(options: CreateMigrationOptions = {}): Promise<CreatedMigration> {
    return createTenantMigration({ database: this.#database, readMadeSchema }, options);
  }

  /** Whether the tenant entities have changed since the last migration of the tenant set was written. */
  async needsMigration(): Promise<boolean> {
    return hasTenantChanges({ database: this.#database, readMadeSchema });
  }

  /** @internal The schemas in the database that the library made. */
  async ownedSchemas(): Promise<string[]> {
    return [...(await findOwnedSchemas(this.#database))].toSorted();
  }

  /**
   * Drops the schemas of all tenants, and those of the given names, with all data. The rows stay.
   *
   * @internal
   */
  async dropSchemas(others: readonly string[]): Promise<string[]> {
    const owned = await this.ownedSchemas();
    const tenants = await this.#database.tenants.findSchemaNames().catch((error: unknown) => {
      if (lacksTable(error)) {
        return [];
      }

      throw error;
    });
    const names = [...new Set([...tenants.filter(name => owned.includes(name)), ...others])].toSorted();

    for (const name of names) {
      await this.#database.inTransaction(ctx => dropSchema(this.#database, name, { ctx, cascade: true }));
    }

    return names.filter(name => owned.includes(name));
  }

  /**
   * Loads the tenant's row and locks it until the transaction ends. An entity is looked up by its key, because its other values may be
   * outdated, or changed but not stored.
   */
  async #load(em: TenantEntityManager, tenant: Tenant | string): Promise<TenantMixin<unknown>> {
    const where = typeof tenant === 'string' ? { schemaName: tenant } : (wrap(tenant, true).getPrimaryKey() as object | null | undefined);
    const options = { lockMode: LockMode.PESSIMISTIC_WRITE, filters: false, ...NOT_CACHED } as const;
    // an entity that was never stored may have no key yet
    const row = where == null ? null : await em.findOne(this.#database.options.tenant, where, options);

    if (row === null) {
      throw new UnknownTenantError([typeof tenant === 'string' ? tenant : tenant.schemaName]);
    }

    return row;
  }

  #inPublic<Result>(action: string, fn: (em: TenantEntityManager) => Promise<Result>): Promise<Result> {
    const { rules } = this.#tenancy;
    const { scope } = rules;

    if (scope?.kind === 'tenant') {
      throw new PublicContextRequiredError(action, scope.schemaName);
    }

    return this.#tenancy.enter(publicScope(rules), fn);
  }
}

/** The tenant service of the given ORM, or of the only open ORM with tenants. */
export function tenants<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(orm?: OrmOption['orm']): TenantService<Tenant> {
  return new TenantService(Tenancy.select(orm === undefined ? {} : { orm }));
}
