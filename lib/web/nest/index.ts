export { CurrentTenant } from './current-tenant.js';
export { TENANTS_MODULE_OPTIONS, type TenantsModuleOptions } from './options.js';
export { PublicGuard, TenantGuard } from './scope-guards.js';
export { TenantInterceptor } from './tenant-interceptor.js';
export { TenantsModule, type TenantsModuleAsyncOptions } from './tenants-module.js';
