export { observeTenants, type ObserveTenantsOptions } from './observe-tenants.js';
export { TenantSpanProcessor } from './span-processor.js';
