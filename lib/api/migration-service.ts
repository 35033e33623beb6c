import { History, type ExecutedMigration } from '../migrations/history/history.js';
import { changeHistories, previewChange, type ChangeHistoryOptions, type HistoryChange } from '../migrations/run/change-histories.js';
import { findForCitus } from '../migrations/run/citus-findings.js';
import type { CitusFinding } from '../migrations/set/citus/lint.js';
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
import { reportServer, type ServerReport } from '../database/server-report.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { ServiceBase } from './service-base.js';

/** The migrations of the tenant set, in all tenants. */
export abstract class MigrationService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends ServiceBase {
  /** Runs the migrations of the tenant set in the selected tenants. */
  async migrate(options: MigrateOptions<Tenant> = {}): Promise<RunResult> {
    return this.inPublic('migrated', () => migrateTenants(this.database, options));
  }

  /** Returns what `migrate` would do, without doing it. */
  async preview(options: MigrateOptions<Tenant> = {}): Promise<RunPreview[]> {
    return previewRun(this.database, options);
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
    return this.inPublic('migrated', () => rollUp(this.database, options));
  }

  /** What `rollUpMigrations()` would record, and for which tenants it would be refused. Nothing is kept. */
  async previewRollUp(): Promise<RunPreview[]> {
    return this.inPublic('migrated', () => previewRollUp(this.database));
  }

  /** @internal */
  async changeHistories(change: HistoryChange, options: ChangeHistoryOptions): Promise<RunResult> {
    return this.inPublic('migrated', () => changeHistories(this.database, change, options));
  }

  /** @internal */
  async previewChange(change: HistoryChange, options: ChangeHistoryOptions): Promise<RunPreview[]> {
    return previewChange(this.database, change, options);
  }

  /** The applied migrations of one tenant, oldest first. */
  async history(schemaName: string): Promise<ExecutedMigration[]> {
    return new History(this.database, this.database.rules.checkSchemaName(schemaName)).executed();
  }

  /** The applied migrations of each selected tenant, in a few statements for all of them. */
  async histories(selection: TenantSelection = {}): Promise<TenantHistory[]> {
    return migrationHistories(this.database, selection);
  }

  /** The applied and pending migrations of each selected tenant, and the schemas created by the library that no longer have a tenant. */
  async status(selection: TenantSelection<Tenant> = {}): Promise<MigrationStatus> {
    return migrationStatus(this.database, selection);
  }

  /** Compares the objects in each selected tenant's schema with what the tenant set makes. Tenants that are not up to date are left out. */
  async drift(selection: TenantSelection<Tenant> = {}): Promise<DriftReport> {
    return this.inPublic('compared', () => findDrift(this.database, selection));
  }

  /** Compares the server's settings with the number of tenants and tables. Changes nothing. */
  async serverReport(): Promise<ServerReport> {
    return this.inPublic('counted', async () => reportServer(this.database, (await selectSchemaNames(this.database, {})).length));
  }

  /** Writes the next migration of the tenant set. `fileName` is empty if the tenant entities have not changed. */
  async createMigration(options: CreateMigrationOptions = {}): Promise<CreatedMigration> {
    return createTenantMigration({ database: this.database, readMadeSchema }, options);
  }

  /**
   * What Citus would refuse in the migrations of the tenant set, or do without an error, with what to write instead. Empty if migrations are not
   * written for Citus, see the option `citus`. Needs no database.
   */
  async findForCitus(): Promise<CitusFinding[]> {
    return findForCitus(this.database);
  }

  /** Whether the tenant entities have changed since the last migration of the tenant set was written. */
  async needsMigration(): Promise<boolean> {
    return hasTenantChanges({ database: this.database, readMadeSchema });
  }
}
