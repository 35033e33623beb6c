import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { captureTenant } from './capture-tenant.js';
import { DeletionService } from './deletion-service.js';
import { examine, type DoctorOptions } from './doctor/doctor.js';
import type { DoctorReport } from './doctor/finding.js';
import { runInTenant } from './run-in.js';
import { seedTenants, type SeedOptions, type SeedResult } from './seed.js';
import { environmentOf } from './tenant-of-environment.js';
import { readUsage, type UsageOptions, type UsageReport } from './usage.js';

/** What operators want to know of tenants, and to run in them. */
export abstract class InspectionService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends DeletionService<Tenant> {
  /**
   * Looks for what is not as it should be: rows, schemas, marks and histories that do not fit together, invalid indexes, functions that look into other
   * schemas, roles and privileges, rows in the public schema, and limits of the server. With `deep`, each tenant is compared with what the set makes.
   * Changes nothing, unless `fix` is set.
   */
  async doctor(options: DoctorOptions<Tenant> = {}): Promise<DoctorReport> {
    return this.inPublic('examined', () => examine(this.database, options));
  }

  /** What each selected tenant takes of the server: rows, bytes, connections. Read from the catalogs and statistics, for all tenants at once. */
  async usage(options: UsageOptions<Tenant> = {}): Promise<UsageReport> {
    return this.inPublic('counted', () => readUsage(this.database, options));
  }

  /**
   * Runs a seeder of `@mikro-orm/seeder` in the scope of each selected tenant. A failure does not stop the others, and is among the results.
   *
   * @param className The name of the seeder's class. @default the option `seeder.defaultSeeder` of the config
   * @throws RunUsageError `RUN_USAGE` if `@mikro-orm/seeder` is not there.
   */
  async seed(className?: string, options: SeedOptions<Tenant> = {}): Promise<SeedResult[]> {
    const name = className ?? this.database.orm.config.get('seeder').defaultSeeder ?? 'DatabaseSeeder';

    return this.inPublic('seeded', () => seedTenants(this.database, name, options));
  }

  /**
   * The environment for a process that works for a tenant: `{ LANDLORD_TENANT: … }`. The process reads it by `tenantOfEnvironment()`, for `resumeTenant()`.
   *
   * @throws UnknownTenantError `TENANT_UNKNOWN`
   */
  async environment(tenant: Tenant | string): Promise<Record<string, string>> {
    const { orm } = this.database;

    return this.inPublic('captured', () => runInTenant(tenant, () => environmentOf(captureTenant({ orm })), { orm }));
  }
}
