import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { helper } from '@mikro-orm/core';
import { hasSchema } from '../database/owned-schemas.js';
import { MoveError, SnapshotError, StorageFullError, TransferError } from '../errors/index.js';
import { callInTransaction } from '../orm/tenant-hooks.js';
import { giveConsent } from '../provisioning/consent.js';
import { cloneSchema } from '../provisioning/clone/clone-schema.js';
import { inSnapshot } from '../provisioning/clone/in-snapshot.js';
import { planAdoption, takeSchema } from '../provisioning/move/adopt.js';
import { extractRows, type ExtractReport } from '../provisioning/move/extract.js';
import { DISK_FULL, provision } from '../provisioning/provision.js';
import { hasSqlState } from '../postgres/sql-state.js';
import { createRole } from '../provisioning/roles.js';
import { checkExport, importSchema } from '../provisioning/transfer/import-schema.js';
import { Output } from '../provisioning/transfer/output.js';
import { withFile } from '../provisioning/transfer/spool.js';
import { writeExport } from '../provisioning/transfer/write-export.js';
import type { NewTenant, TenantMixin } from '../tenant/tenant-mixin.js';
import type {
  AdoptTenantOptions,
  CloneTenantOptions,
  ExportTenantOptions,
  ExtractTenantOptions,
  ImportTenantOptions,
} from './data-options.js';
import { InspectionService } from './inspection-service.js';

/** Copies of tenants, tenants as files, and tenants out of what is there. */
export abstract class DataService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends InspectionService<Tenant> {
  /**
   * Creates a tenant whose schema is a copy of another tenant's, in one transaction. The rows are copied in the server, as of one moment. Nothing of the
   * copy refers to the source.
   *
   * @throws CloneError `CLONE_REFUSED`, `CLONE_INCOMPLETE` or `CLONE_DIFFERS`
   * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
   * @throws SnapshotError `SNAPSHOT_IN_TRANSACTION` inside a transaction, `SNAPSHOT_BUSY`
   */
  async clone(from: Tenant | string, data: NewTenant<Tenant>, options: CloneTenantOptions = {}): Promise<Tenant> {
    return this.inPublic('cloned', async em => {
      const source = await this.schemaNameOf(from);

      const storesHosts = this.database.hosts !== undefined;

      return inSnapshot(this.database, em, { schemaName: source, action: 'clone', storesHosts }, async tx => {
        const tenant = tx.create(this.database.options.tenant, data as never);
        giveConsent(tenant, {
          created: { by: 'clone', from: source },
          fill: (to, ctx) =>
            cloneSchema(this.database, {
              from: source,
              to,
              data: options.data ?? 'all',
              force: options.force ?? false,
              onProgress: options.onProgress,
              ctx,
            }),
        });
        await tx.persistAndFlush(tenant);

        return tenant as Tenant;
      });
    });
  }

  /**
   * Writes a tenant's schema and rows, as of one moment, to a stream: compressed, with a checksum, to be read by `import()`. The stream is ended.
   *
   * @throws TransferError `EXPORT_REFUSED`
   * @throws SnapshotError `SNAPSHOT_IN_TRANSACTION` inside a transaction, `SNAPSHOT_BUSY`
   */
  async export(tenant: Tenant | string, to: Writable, options: ExportTenantOptions = {}): Promise<void> {
    const { format = 'landlord', force = false, onTable } = options;
    const output = new Output();
    // loaded by what needs it alone
    const { createGzip } = process.getBuiltinModule('node:zlib');
    const transferred = format === 'landlord' ? pipeline(output.readable, createGzip(), to) : pipeline(output.readable, to);

    const written = this.inPublic('exported', async em => {
      const schemaName = await this.schemaNameOf(tenant);
      await inSnapshot(this.database, em, { schemaName, action: 'export' }, (_tx, ctx) =>
        writeExport(this.database, { schemaName, ctx, force, onTable }, { output, format }),
      );
    }).then(
      () => output.end(),
      (error: unknown) => {
        output.destroy(error);
        throw error;
      },
    );

    const [writing, transferring] = await Promise.allSettled([written, transferred]);
    // the reason of both is that of the first
    if (writing.status === 'rejected') {
      throw writing.reason;
    }

    if (transferring.status === 'rejected') {
      throw transferring.reason;
    }
  }

  /**
   * Creates a tenant from what `export()` has written, under whatever name, in one transaction, and migrates it up to date. The whole file is checked before
   * anything is created. A stream is kept in a temporary file for that.
   *
   * @throws TransferError `IMPORT_INVALID`, `IMPORT_REFUSED`; `IMPORT_NOT_MIGRATED` when the tenant is stored
   * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
   */
  async import(source: Readable | string, data: NewTenant<Tenant>, options: ImportTenantOptions = {}): Promise<Tenant> {
    return withFile(source, async file => {
      const { migrations } = await checkExport(this.database, file);
      const tenant = await this.inPublic('imported', async em => {
        if (em.isInTransaction()) {
          throw SnapshotError.importInTransaction();
        }

        return em.transactional(async tx => {
          const created = tx.create(this.database.options.tenant, data as never);
          giveConsent(created, {
            created: { by: 'import' },
            fill: (schemaName, ctx) => importSchema(this.database, { file, schemaName, ctx, onTable: options.onTable }),
          });
          await tx.persistAndFlush(created);

          return created as Tenant;
        });
      });

      // without a history, it is of a schema that was never migrated
      if (options.migrate !== false && migrations.length > 0) {
        await this.#migrateImported(tenant.schemaName);
      }

      return tenant;
    });
  }

  async #migrateImported(schemaName: string): Promise<void> {
    const result = await this.migrate({ only: [schemaName] }).catch((error: unknown) => ({ failed: [{ error }], stopped: undefined }));
    const [failure] = result.stopped?.reason === 'database' ? [result.stopped] : result.failed;

    if (failure !== undefined) {
      throw TransferError.notMigrated(schemaName, failure.error);
    }
  }

  /**
   * Makes a schema that is there a tenant's, if its objects are what the tenant set makes. Its history is written, and it counts as made by the library.
   *
   * @throws MoveError `ADOPT_REFUSED`, with all that differs
   * @throws SchemaMissingError `SCHEMA_MISSING`
   */
  async adopt(data: NewTenant<Tenant>, { to }: AdoptTenantOptions = {}): Promise<Tenant> {
    const { schemaName, plan } = await this.inPublic('adopted', async () => {
      const name = this.database.rules.checkSchemaName((data as Partial<TenantMixin>).schemaName);

      return { schemaName: name, plan: await planAdoption(this.database, name, to) };
    });

    return this.inTransaction('adopted', async tx => {
      const ctx = tx.getTransactionContext();
      const tenant = tx.create(this.database.options.tenant, data as never);
      const take = (): Promise<void> => takeSchema(this.database, { schemaName, plan }, ctx);
      giveConsent(tenant, { adoptSchema: true, take, created: { by: 'adopt' } });
      await tx.persistAndFlush(tenant);
      await createRole(this.database, schemaName, ctx);
      await callInTransaction(this.database, 'afterCreate', { ctx, schemaName, tenant, by: 'adopt' });

      return tenant as Tenant;
    });
  }

  /**
   * Moves rows of public tables into the tables of the same names in a tenant's schema, in one transaction: all of them, or those of one customer. The schema
   * is made if it is not there. What was copied is compared before it is deleted in public.
   *
   * @throws MoveError `EXTRACT_REFUSED`, with all that stands against it. With `dryRun` it is in the report instead.
   */
  async extract(tenant: Tenant | string, options: ExtractTenantOptions = {}): Promise<ExtractReport> {
    const reports: ExtractReport[] = [];

    try {
      await this.inTransaction('extracted', async tx => {
        const ctx = tx.getTransactionContext();
        const row = await this.loadLocked(tx, tenant);
        const { schemaName } = row;

        if (!(await hasSchema(this.database, schemaName, ctx))) {
          await provision(this.database, row, { ctx, created: { by: 'extract' } });
        }

        const { column, whole = [], without = [], keep = false, onTable } = options;
        const value = options.value ?? keyOf(row);
        const report = await extractRows(this.database, { schemaName, selection: { column, value, whole, without }, keep, ctx, onTable });
        // of the last attempt, if there are several
        reports.unshift(report);

        if (options.dryRun === true) {
          throw ROLLED_BACK;
        }

        if (report.refused.length > 0) {
          throw MoveError.extract(schemaName, report.refused.join('; '), report.refused);
        }
      });
    } catch (error) {
      if (error !== ROLLED_BACK) {
        throw hasSqlState(error, DISK_FULL)
          ? new StorageFullError('extracted', typeof tenant === 'string' ? tenant : tenant.schemaName, error)
          : error;
      }
    }

    // it is there: what fails earlier is thrown
    return reports[0] as ExtractReport;
  }
}

/** The primary key of the tenant, which the column of the public tables refers to. */
function keyOf(row: TenantMixin<unknown>): string {
  return helper(row).getSerializedPrimaryKey();
}

const ROLLED_BACK = new Error('rolled back');
