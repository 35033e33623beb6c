import type { OrmOption } from '../scope/live-orms.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { scopeFor } from './run-in.js';

export interface TenantFieldsOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends OrmOption {
  /**
   * Which fields a line of the log gets in a tenant's scope. What it throws is swallowed, and the line then has the default.
   *
   * @default the schema name as `tenant`
   */
  readonly fields?: (tenant: Tenant) => object;
}

/** Fields for a line of a log: `{ tenant: 'acme' }` in a tenant's scope, and none elsewhere. It never throws, and sends no statement. */
export function tenantFields<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  options: TenantFieldsOptions<Tenant> = {},
): object {
  try {
    const scope = scopeFor(options);

    if (scope?.kind !== 'tenant') {
      return {};
    }

    return { ...(fieldsOf(scope.tenant as Tenant, options) ?? { tenant: scope.schemaName }) };
  } catch {
    // a log line must not fail for what it is about
    return {};
  }
}

/** A `mixin` for pino: each line that is written in a tenant's scope gets the fields of `tenantFields()`. */
export function tenantMixin<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  options: TenantFieldsOptions<Tenant> = {},
): () => object {
  // pino passes arguments of its own
  return () => tenantFields(options);
}

function fieldsOf<Tenant extends TenantMixin<unknown>>(tenant: Tenant, { fields }: TenantFieldsOptions<Tenant>): object | undefined {
  try {
    return fields?.(tenant);
  } catch {
    return undefined;
  }
}
