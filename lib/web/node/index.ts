export { tenantContext, type NodeRequest, type NodeResponse, type RequestWithTenant, type TenantContextOptions } from './tenant-context.js';
export { tenantUpgrade, type TenantUpgradeOptions, type UpgradingServer } from './upgrades.js';
export type { TrustProxyOption } from '../core/forwarded-host.js';
