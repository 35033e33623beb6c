export { schemaRouter, type SchemaRouterOptions } from './schema-router.js';
export { tenantContext, type TenantContextOptions } from './tenant-context.js';
export { withoutTenantPath } from './tenant-path.js';
