import type { TenantMixin } from '../../tenant/tenant-mixin.js';

/**
 * The host that a tenant is known by: its primary domain, if the tenant was found for a request and has domains, and else its `domainUrl`. For
 * links: a host of either kind leads to the tenant. It sends no query.
 */
export function primaryHostOf(tenant: TenantMixin<any>): string {
  return KEPT.get(tenant) ?? tenant.domainUrl;
}

/** Notes the primary domain of a tenant's entity. */
export function keepPrimaryHost(tenant: TenantMixin<unknown>, primaryHost: string | undefined): void {
  if (primaryHost !== undefined) {
    KEPT.set(tenant, primaryHost);
  }
}

const KEPT = new WeakMap<object, string>();
