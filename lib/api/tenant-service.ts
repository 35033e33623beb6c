import { LockMode, wrap } from '@mikro-orm/core';
import { PublicContextRequiredError, UnknownTenantError } from '../errors/index.js';
import { History, type ExecutedMigration } from '../migrations/history/history.js';
import { previewRun, type RunPreview } from '../migrations/run/preview.js';
import { migrateTenants } from '../migrations/run/run.js';
import type { MigrateOptions, RunResult } from '../migrations/run/run-types.js';
import { selectSchemaNames, type TenantSelection } from '../migrations/run/selection.js';
import { migrationStatus, type MigrationStatus } from '../migrations/run/status.js';
import {
  createTenantMigration,
  hasTenantChanges,
  type CreatedMigration,
  type CreateMigrationOptions,
} from '../migrations/set/tenant-migrator.js';
import type { OrmOption } from '../scope/live-orms.js';
import { publicScope } from '../scope/make-scope.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { NOT_CACHED } from '../database/tenants-table.js';
import { Tenancy } from '../tenancy.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantData, TenantMixin } from '../tenant/tenant-mixin.js';
import { provision } from '../provisioning/provision.js';
import { createRole } from '../provisioning/roles.js';
import { dropSchema } from '../provisioning/schemas.js';

/** The service that looks after tenants, where there is no `em` at hand. Every method works in the public scope. */
export class TenantService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  readonly #tenancy: Tenancy;
  readonly #database: TenantDatabase;

  /** @internal */
  constructor(tenancy: Tenancy) {
    this.#tenancy = tenancy;
    this.#database = tenancy.database;
  }

  /** Every tenant that is selected, by schema name; a public tenant is not among them. */
  async list(selection: TenantSelection = {}): Promise<Tenant[]> {
    const names = await selectSchemaNames(this.#database, selection);

    return (await this.#database.tenants.find({ schemaName: { $in: names } })) as Tenant[];
  }

  /** Creates a tenant: row, schema and tables in one transaction. */
  async create(data: TenantData): Promise<Tenant> {
    return this.#inPublic('created', async em => {
      const tenant = em.create(this.#database.options.tenant, data as never);
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
      em.transactional(async tx => provision(this.#database, await this.#load(tx, tenant), tx.getTransactionContext())),
    );
  }

  /**
   * Creates the database role of a tenant that is older than the option `roles`.
   *
   * @throws TenantRoleError `TENANT_ROLE_EXISTS`
   */
  async createRole(tenant: Tenant | string): Promise<void> {
    await this.#inPublic('given a role', em =>
      em.transactional(async tx => createRole(this.#database, (await this.#load(tx, tenant)).schemaName, tx.getTransactionContext())),
    );
  }

  /** Deletes the tenant's row and drops its schema with all that is in it, whatever `autoDropSchema` says. There is no way back. */
  async drop(tenant: Tenant | string): Promise<void> {
    await this.#inPublic('deleted', em =>
      em.transactional(async tx => {
        const row = await this.#load(tx, tenant);
        const { schemaName } = row;
        row.autoDropSchema = false;
        tx.remove(row);
        await tx.flush();
        await dropSchema(this.#database, schemaName, tx.getTransactionContext());
      }),
    );
  }

  /** Gives the tenant another schema name, and its schema with it. */
  async rename(tenant: Tenant | string, schemaName: string): Promise<void> {
    await this.#inPublic('renamed', em =>
      em.transactional(async tx => {
        (await this.#load(tx, tenant)).schemaName = schemaName;
      }),
    );
  }

  /** Runs the tenant set in the selected tenants. */
  async migrate(options: MigrateOptions = {}): Promise<RunResult> {
    return this.#inPublic('migrated', () => migrateTenants(this.#database, options));
  }

  /** What `migrate` would do, without doing it. */
  async preview(options: MigrateOptions = {}): Promise<RunPreview[]> {
    return previewRun(this.#database, options);
  }

  /** The migrations that one tenant has, oldest first. */
  async history(schemaName: string): Promise<ExecutedMigration[]> {
    return new History(this.#database, this.#database.rules.checkSchemaName(schemaName)).executed();
  }

  /** What each selected tenant has and lacks, and the schemas the library made that no tenant has any more. */
  async status(selection: TenantSelection = {}): Promise<MigrationStatus> {
    return migrationStatus(this.#database, selection);
  }

  /** Writes the next migration of the tenant set; `fileName` is empty where the tenant entities have not changed. */
  async createMigration(options: CreateMigrationOptions = {}): Promise<CreatedMigration> {
    return createTenantMigration(this.#database, options);
  }

  /** Whether the tenant entities have changed since the last migration of the tenant set was written. */
  async needsMigration(): Promise<boolean> {
    return hasTenantChanges(this.#database);
  }

  /**
   * The tenant as its row is, locked until the transaction ends. A row that was passed is found by its key: what else it says may be
   * outdated, or changed and not stored.
   */
  async #load(em: TenantEntityManager, tenant: Tenant | string): Promise<TenantMixin<unknown>> {
    const where = typeof tenant === 'string' ? { schemaName: tenant } : (wrap(tenant, true).getPrimaryKey() as object | null | undefined);
    const options = { lockMode: LockMode.PESSIMISTIC_WRITE, ...NOT_CACHED } as const;
    // one that was never stored may have no key yet
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

/** The service for the tenants of an ORM: the given one, else the only one with tenants that is live. */
export function tenants<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(orm?: OrmOption['orm']): TenantService<Tenant> {
  return new TenantService(Tenancy.select(orm === undefined ? {} : { orm }));
}
