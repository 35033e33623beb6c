import { selectSchemaNames, type TenantSelection } from '../migrations/run/selection.js';
import type { OrmOption } from '../scope/live-orms.js';
import { findDeleted } from '../database/deleted-tenants.js';
import { findOwnedSchemas } from '../database/owned-schemas.js';
import { RunUsageError } from '../errors/index.js';
import { lacksTable } from '../postgres/sql-state.js';
import { Tenancy } from '../tenancy.js';
import type { NewTenant, TenantMixin } from '../tenant/tenant-mixin.js';
import { giveConsent } from '../provisioning/consent.js';
import { dropDeleted } from '../provisioning/purge.js';
import { provision } from '../provisioning/provision.js';
import { createRole } from '../provisioning/roles.js';
import { dropSchema } from '../provisioning/schemas.js';
import { deleteSoftly } from '../provisioning/soft-deletion.js';
import { PlacementService } from './placement-service.js';

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

  /**
   * Deletes the tenant so that `restore()` can bring it back: row and schema stay, under names that no tenant can have. To everything else the tenant
   * is unknown from then on, and another can have its name and its hosts. `purge()` drops it for good.
   *
   * @default false
   */
  readonly soft?: boolean;

  /**
   * With `soft`: deletes the tenant even if functions or settings have the name of its schema in their text. They may reach the next tenant of that
   * name.
   *
   * @default false: they are listed in an error, and nothing is deleted
   */
  readonly force?: boolean;
}

export interface RenameTenantOptions {
  /**
   * Renames the schema even if functions or settings outside of it have its name in their text. They fail afterwards, or reach the next
   * schema of that name, until they are changed.
   *
   * @default false: they are listed in an error, and nothing is renamed
   */
  readonly force?: boolean;

  /** The host that the tenant gets with its new name. @default the one that it has */
  readonly domainUrl?: string;
}

/** Creates, changes and migrates tenants without an `em`. Every method works in the public scope. */
export class TenantService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends PlacementService<Tenant> {
  /** The selected tenants, sorted by schema name, without public tenants. */
  async list(selection: TenantSelection<Tenant> = {}): Promise<Tenant[]> {
    const names = await selectSchemaNames(this.database, selection);

    return (await this.database.tenants.findAll({ schemaName: { $in: names } })) as Tenant[];
  }

  /**
   * Creates a tenant: row, schema and tables in one transaction.
   *
   * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
   * @throws TenantSettingError `TENANT_SETTING_REFUSED` where the data has a setting in it; settings are the second argument.
   */
  async create(data: NewTenant<Tenant>, { autoCreateSchema, adoptSchema }: CreateTenantOptions = {}): Promise<Tenant> {
    return this.tried(() =>
      this.inPublic('created', async em => {
        const tenant = em.create(this.database.options.tenant, data as never);
        giveConsent(tenant, { adoptSchema });

        if (autoCreateSchema !== undefined) {
          tenant.autoCreateSchema = autoCreateSchema;
        }

        await em.persistAndFlush(tenant);

        return tenant as Tenant;
      }),
    );
  }

  /**
   * Creates the schema and tables of a tenant that was stored with `autoCreateSchema: false`.
   *
   * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
   */
  async provision(tenant: Tenant | string): Promise<void> {
    await this.inTransaction('provisioned', async tx =>
      provision(this.database, await this.loadLocked(tx, tenant), { ctx: tx.getTransactionContext() }),
    );
  }

  /**
   * Creates the database role of a tenant that was created before the option `roles` was set.
   *
   * @throws TenantRoleError `TENANT_ROLE_EXISTS`
   */
  async createRole(tenant: Tenant | string): Promise<void> {
    await this.inTransaction('given a role', async tx =>
      createRole(this.database, (await this.loadLocked(tx, tenant)).schemaName, tx.getTransactionContext()),
    );
  }

  /**
   * Deletes the tenant's row and drops its schema with all data, regardless of `autoDropSchema`. This cannot be undone, unless `soft` is set.
   *
   * @throws SchemaInUseError `SCHEMA_IN_USE` if something outside of the schema depends on it, such as a view in the public schema.
   * @throws LockTableError `LOCK_TABLE_TOO_SMALL` if the server has no room for the locks that the drop takes.
   */
  async drop(tenant: Tenant | string, { cascade, soft = false, force = false }: DropTenantOptions = {}): Promise<void> {
    await this.inTransaction('deleted', async tx => {
      const row = await this.loadLocked(tx, tenant);
      const { schemaName } = row;

      if (soft) {
        await deleteSoftly(this.database, row, { ctx: tx.getTransactionContext(), force });
        return;
      }

      row.autoDropSchema = false;
      tx.remove(row);
      await tx.flush();
      await dropSchema(this.database, schemaName, { ctx: tx.getTransactionContext(), cascade, tenant: row });
    });
  }

  /**
   * Changes the schema name of the tenant and renames its schema.
   *
   * @throws SchemaInUseError `SCHEMA_IN_USE` if something outside of the schema, such as a function, has its name in its text.
   */
  async rename(tenant: Tenant | string, schemaName: string, { force, domainUrl }: RenameTenantOptions = {}): Promise<void> {
    await this.inTransaction('renamed', async tx => {
      const row = await this.loadLocked(tx, tenant);
      giveConsent(row, { force });
      row.schemaName = schemaName;
      row.domainUrl = domainUrl ?? row.domainUrl;
    });
  }

  /** @internal The schemas in the database that the library made. */
  async ownedSchemas(): Promise<string[]> {
    return [...(await findOwnedSchemas(this.database))].toSorted();
  }

  /**
   * Drops the schemas of all tenants, of deleted ones too, and those of the given names, with all data. The rows stay. Names that leave tenants out are
   * refused: whoever gives them means these alone.
   *
   * @internal
   */
  async dropSchemas(others: readonly string[]): Promise<string[]> {
    const tenants = await this.database.tenants.findSchemaNames().catch(ignoreMissing);
    const unnamed = tenants.filter(name => !others.includes(name));

    if (others.length > 0 && unnamed.length > 0) {
      throw RunUsageError.dropsAll(others, unnamed);
    }

    const deleted = (await findDeleted(this.database).catch(ignoreMissing)).filter(({ schemaName }) => schemaName !== undefined);

    for (const each of deleted) {
      await this.database.inTransaction(ctx => dropDeleted(this.database, each, { ctx, cascade: true }));
    }

    const owned = await this.ownedSchemas();
    const names = [...new Set([...tenants.filter(name => owned.includes(name)), ...others])].toSorted();

    for (const name of names) {
      await this.database.inTransaction(ctx => dropSchema(this.database, name, { ctx, cascade: true }));
    }

    return names.filter(name => owned.includes(name));
  }
}

function ignoreMissing(error: unknown): never[] {
  if (lacksTable(error)) {
    return [];
  }

  throw error;
}

/** The tenant service of the given ORM, or of the only open ORM with tenants. */
export function tenants<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(orm?: OrmOption['orm']): TenantService<Tenant> {
  return new TenantService(Tenancy.select(orm === undefined ? {} : { orm }));
}
