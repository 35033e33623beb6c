import type { TenantRef } from '../scope/tenant-identity.js';
import type { SqlTarget } from './sql-target.js';

/** For whom a query of Kysely's was built. Its builder may have been made in another scope than it is run in. */
export interface BuiltQuery {
  /** The tenant of the instance that built it. */
  readonly target: SqlTarget | undefined;
  /** That one, or for an instance of nobody's the tenants whose tables and queries are in it. */
  readonly tenants: readonly string[];
}

export function setTenantsOfQuery(queryId: object, tenant: TenantRef | undefined, tenants: readonly string[]): void {
  if (tenant !== undefined || tenants.length > 0) {
    built.set(queryId, { target: tenant === undefined ? undefined : { kind: 'tenant', ...tenant }, tenants });
  }
}

/** Undefined for what no builder has made, and for what is no tenant's. */
export function builtQuery(queryId: object): BuiltQuery | undefined {
  return built.get(queryId);
}

const built = new WeakMap<object, BuiltQuery>();
