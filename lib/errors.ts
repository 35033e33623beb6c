export { TenantError, reasonOf, type TenantErrorCode } from './errors/tenant-error.js';
export { OrmSelectionError, TenantConfigError } from './errors/config-errors.js';
export {
  InvalidDomainError,
  InvalidSchemaNameError,
  ReservedDomainError,
  TenantExistsError,
  TenantWriteRefusedError,
  UnknownTenantError,
} from './errors/tenant-row-errors.js';
export { ProvisioningError, SchemaExistsError, SchemaMissingError, SchemaProtectedError } from './errors/schema-errors.js';
export { CrossTenantError, PublicContextRequiredError, TenantContextRequiredError } from './errors/scope-errors.js';
export { SharedRowInUseError, SharedTableInUseError } from './errors/shared-row-errors.js';
export { TenantRoleError } from './errors/role-errors.js';
export { DirectoryUnavailableError, HttpTenantError, InvalidHostError, RoutingError, UnknownHostError } from './errors/web-errors.js';
export { MigrationError, RunUsageError } from './errors/migration-errors.js';
