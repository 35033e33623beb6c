import { LockMode } from '@mikro-orm/core';
import { findDeleted, findDeletedOne, type DeletedTenant, type MarkedTenant } from '../database/deleted-tenants.js';
import { NOT_CACHED } from '../database/tenants-table.js';
import { callOnCommit } from '../orm/tenant-hooks.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import { dropDeleted, selectForPurge, type PurgeOptions, type PurgeResult } from '../provisioning/purge.js';
import { restoreDeleted, type RestoreOptions } from '../provisioning/soft-deletion.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { MigrationService } from './migration-service.js';

/** Tenants that were deleted softly, with `drop(tenant, { soft: true })`. */
export abstract class DeletionService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends MigrationService<Tenant> {
  /** The tenants that were deleted and can be restored, the latest first. */
  async listDeleted(): Promise<DeletedTenant[]> {
    return (await findDeleted(this.database)).map(({ domains: _domains, ...deleted }) => deleted);
  }

  /**
   * Brings back a tenant that was deleted softly, given by its id or by the name that it had: its row, schema, role and hosts, with all data. Its
   * migrations are those of the time when it was deleted, so migrate it before it is used: `tenants().migrate({ only: [tenant.schemaName] })`.
   *
   * @throws DeletedTenantError `DELETED_TENANT_UNKNOWN`, `DELETED_TENANT_AMBIGUOUS`
   * @throws TenantExistsError `TENANT_ALREADY_EXISTS` if another tenant has its name or host by now. Give it others.
   * @throws HostTakenError `HOST_TAKEN` if another tenant has one of its further hosts by now.
   */
  async restore(deleted: string | DeletedTenant, options: RestoreOptions = {}): Promise<Tenant> {
    return this.inTransaction('restored', async tx => {
      const ctx = tx.getTransactionContext();
      const name = await restoreDeleted(this.database, typeof deleted === 'string' ? deleted : deleted.id, options, ctx);
      const row = await tx.findOneOrFail(this.database.options.tenant, { schemaName: name }, { filters: false, ...NOT_CACHED });
      callOnCommit(this.database, ctx, { kind: 'restored', schemaName: name, tenant: row });

      // read once more, it would be told as a failure though it is done
      return row as Tenant;
    });
  }

  /**
   * Drops tenants for good that were deleted softly: row, schema with all data, history and role, each tenant in a transaction of its own. One that
   * cannot be dropped is told in the result, and does not stop the others.
   *
   * @throws DeletedTenantError `DELETED_TENANT_UNKNOWN`, `DELETED_TENANT_AMBIGUOUS` for a name in `only`.
   */
  async purge(options: PurgeOptions = {}): Promise<PurgeResult> {
    const purged: { id: string; schemaName: string | undefined }[] = [];
    const failed: { id: string; schemaName: string | undefined; error: unknown }[] = [];

    for (const deleted of await this.previewPurge(options)) {
      const { id, schemaName } = deleted;

      try {
        if (await this.inTransaction('purged', tx => this.#purge(tx, id, options))) {
          purged.push({ id, schemaName });
        }
      } catch (error) {
        failed.push({ id, schemaName, error });
      }
    }

    return { purged, failed };
  }

  /** What `purge` would drop, without dropping it. */
  async previewPurge(options: PurgeOptions = {}): Promise<DeletedTenant[]> {
    for (const name of options.only ?? []) {
      await findDeletedOne(this.database, name);
    }

    const [row] = await this.database.execute<{ now: string }>('select extract(epoch from now())::text as now', [], undefined);

    return selectForPurge(await findDeleted(this.database), options, Number(row?.now) * 1000);
  }

  /** False where another session has restored or purged it meanwhile. */
  async #purge(tx: TenantEntityManager, id: string, { cascade = false }: PurgeOptions): Promise<boolean> {
    const row = await tx.findOne(
      this.database.options.tenant,
      { schemaName: id },
      { lockMode: LockMode.PESSIMISTIC_WRITE, filters: false, ...NOT_CACHED },
    );
    const ctx = tx.getTransactionContext();
    const deleted: MarkedTenant | undefined = (await findDeleted(this.database, ctx)).find(each => each.id === id);

    if (deleted === undefined) {
      return false;
    }

    if (row !== null) {
      row.autoDropSchema = false;
      tx.remove(row);
      await tx.flush();
    }

    await dropDeleted(this.database, deleted, { ctx, cascade });

    return true;
  }
}
