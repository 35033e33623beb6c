export { schemaRouter, type RouterLike, type SchemaRouterOptions } from './schema-router.js';
export { tenantContext, type TenantContextOptions } from './tenant-context.js';
