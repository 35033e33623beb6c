export { withTenants } from './with-tenants.js';
export { DomainMixin, type DomainData } from './tenant/domain-mixin.js';
export { TenantMixin } from './tenant/tenant-mixin.js';
export { TenantStateMixin, type TenantState } from './tenant/tenant-state.js';
export { TenantEntityManager } from './orm/tenant-entity-manager.js';
export { currentSchema, currentTenant, requireTenant, runInPublic, runInTenant } from './api/run-in.js';
export { assertSameTenant, boundToTenant, isSameTenant } from './api/bound-to-tenant.js';
export { captureTenant, resumeTenant } from './api/capture-tenant.js';
export { tenantFields, tenantMixin } from './api/tenant-fields.js';
export { onTenantEnd, whileServed } from './api/while-served.js';
export { tenantKey, tenantPath } from './api/tenant-key.js';
export { forEachTenant } from './api/for-each-tenant.js';
export { acrossTenants, TenantsReport } from './api/report/across-tenants.js';
export { NOT_DELETED } from './tenant/not-deleted.js';
export { tenantOfEnvironment } from './api/tenant-of-environment.js';
export { tenants, TenantService } from './api/tenant-service.js';
export { SCHEMA_COMMENT } from './database/owned-schemas.js';
export { identify } from './web/core/identify.js';
export { primaryHostOf } from './web/core/primary-host.js';
export { runAs } from './web/core/run-as.js';
export { tenantUrl } from './web/core/tenant-url.js';
export { isHostServed, tlsCheck } from './web/core/tls-check.js';
export { byClaim, byHeader, byHostname, byPath, bySubdomain } from './web/core/resolvers.js';
export { schemaRouter, tenantContext } from './web/koa/index.js';
export * from './errors/index.js';

export type { CitusOption, CitusOptions } from './tenant/citus-options.js';
export type { ConnectionOptions } from './tenant/connection-options.js';
export type { LimitsOption, TenantLimits } from './tenant/limit-options.js';
export type { RolesOptions, TenantFilter, TenantsOptions } from './tenant/options.js';
export type { NewTenant, TenantData } from './tenant/tenant-mixin.js';
export type { TenantEntityManagerMethods } from './scope/wrapped-orm.js';
export type { CreateTenantOptions, DropTenantOptions, RenameTenantOptions } from './api/tenant-service.js';
export type { DeletedTenant } from './database/deleted-tenants.js';
export type { RestoreOptions } from './provisioning/soft-deletion.js';
export type { PurgeOptions, PurgeResult } from './provisioning/purge.js';
export type { DoctorOptions } from './api/doctor/doctor.js';
export type { DoctorReport, Finding, FindingKind, FixStatement, MendedFinding } from './api/doctor/finding.js';
export type { SeedOptions, SeedResult } from './api/seed.js';
export type { TenantUsage, UsageOptions, UsageOrder, UsageReport } from './api/usage.js';
export type {
  AdoptTenantOptions,
  CloneTenantOptions,
  ExportTenantOptions,
  ExtractTenantOptions,
  ImportTenantOptions,
} from './api/data-options.js';
export type { ExtractReport } from './provisioning/move/extract.js';
export type { ExportFormat } from './provisioning/transfer/write-export.js';
export type { CloneData, CloneProgress } from './provisioning/clone/clone-schema.js';
export type { OrmOption } from './scope/live-orms.js';
export type { RunInTenantOptions } from './api/run-in.js';
export type { ForEachTenantOptions, TenantOutcome, TenantVisit } from './api/for-each-tenant.js';
export type {
  MigrateOptions,
  RunNotice,
  RunPlan,
  RunResult,
  RunStop,
  TenantRunFailure,
  TenantRunResult,
} from './migrations/run/run-types.js';
export type { ExecutedMigration } from './migrations/history/history.js';
export type { ChangeHistoryOptions } from './migrations/run/change-histories.js';
export type { ServerCheck, ServerReport } from './database/server-report.js';
export type { DriftReport, TenantDrift } from './migrations/run/drift.js';
export type { RollUpOptions, RollUpResult } from './migrations/run/roll-up.js';
export type { CitusFinding } from './migrations/set/citus/lint.js';
export type { MovedTenant, RebalanceOptions, RebalanceResult, TenantPlacement } from './provisioning/placement.js';
export type { RunPreview } from './migrations/run/preview.js';
export type { MigrationStatus, TenantHistory, TenantMigrationStatus } from './migrations/run/status.js';
export type { TenantSelection } from './migrations/run/selection.js';
export type { CreatedMigration, CreateMigrationOptions } from './migrations/set/tenant-migrator.js';
export type { ResumeTenantOptions } from './api/capture-tenant.js';
export type { CapturedOutside, CapturedTenant, CapturedWork } from './api/captured-value.js';
export type { TenantEnd } from './directory/tenant-watch.js';
export type { TenantFieldsOptions } from './api/tenant-fields.js';
export type { JsonKey } from './scope/key-of-scope.js';
export type {
  CommittedChange,
  CreatedBy,
  CreateHookEvent,
  DropHookEvent,
  HookEntityManager,
  MigrateHookEvent,
  ReportHookEvent,
  RenameHookEvent,
  TenantFailure,
  TenantHookEvent,
  TenantHooks,
  TenantOperation,
} from './tenant/hook-options.js';
export type { SqlTagsOption, TaggedScope } from './tenant/sql-tag-options.js';
export type { BoundToTenant } from './api/bound-to-tenant.js';
export type { TenantUrlOptions } from './web/core/tenant-url.js';
export type { TlsCheckOptions } from './web/core/tls-check.js';
export type { IdentifyOptions, MaintenanceOptions } from './web/core/identify.js';
export type { Identification, IdentifiedAsPublic, IdentifiedAsTenant, NotServed, Redirected } from './web/core/identification.js';
export type { RedirectOptions } from './web/core/redirect-to-primary.js';
export type { NamedTenant, PropertyOption, TenantResolver } from './web/core/resolvers.js';
export type { TenantRequest, WebRequest } from './web/core/web-request.js';
export type { RouterLike, SchemaRouterOptions, TenantContextOptions } from './web/koa/index.js';
export type {
  Aggregate,
  AggregateOptions,
  AggregateRow,
  Aggregates,
  BehindTenant,
  ReportOptions,
  ReportOrder,
  ReportQuery,
  ReportRow,
  RowOf,
} from './api/report/report-types.js';
