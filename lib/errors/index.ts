export { TenantError, reasonOf, type TenantErrorCode } from './tenant-error.js';
export { StatusError } from './status-error.js';
export { OrmSelectionError, TenantConfigError } from './config-errors.js';
export {
  InvalidDomainError,
  InvalidSchemaNameError,
  ReservedDomainError,
  TenantConflictError,
  TenantExistsError,
  TenantSettingError,
  TenantWriteRefusedError,
  UnknownTenantError,
} from './tenant-row-errors.js';
export { ProvisioningError, SchemaExistsError, SchemaInUseError, SchemaMissingError, SchemaProtectedError } from './schema-errors.js';
export {
  CrossTenantError,
  PublicContextRequiredError,
  TenantChangedError,
  TenantContextRequiredError,
  TenantVisitsError,
} from './scope-errors.js';
export { SharedRowInUseError, SharedSchemaError, SharedTableInUseError } from './shared-row-errors.js';
export { DeletedTenantError, LockTableError } from './life-errors.js';
export { OnlyConnectionError } from './only-connection-error.js';
export { TenantOverloadedError } from './overload-error.js';
export { PoolerModeError } from './pooler-errors.js';
export { NodeOverloadedError, PlacementError, TablesStayedLocalError, TenantNodeUnavailableError } from './citus-errors.js';
export { TenantRoleError } from './role-errors.js';
export {
  DirectoryUnavailableError,
  HttpTenantError,
  InvalidHostError,
  ResolverError,
  RoutingError,
  TenantForbiddenError,
  TenantMismatchError,
  TenantNotServedError,
  TenantUrlError,
  UnknownHostError,
} from './web-errors.js';
export { UnsupportedValueError } from './value-errors.js';
export { HostConflictError, HostIsolationError, HostTakenError, RedirectToPrimaryError } from './domain-errors.js';
export type { Blocker } from './blocker.js';
export { MigrationError } from './migration-errors.js';
export { RunUsageError } from './run-usage-error.js';
export { MigrationSetError } from './migration-set-error.js';
export { TenantMaintenanceError, TenantSuspendedError } from './state-errors.js';
export { ReportError, TenantsBehindError } from './report-errors.js';
export { TenantJobError, TenantPathError } from './job-errors.js';
export { TenantHookError } from './hook-errors.js';
export { CloneError, MoveError, SnapshotError, StorageFullError, TransferError } from './data-errors.js';
