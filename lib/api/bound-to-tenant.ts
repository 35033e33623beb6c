import { helper, Utils } from '@mikro-orm/core';
import { TenantContextRequiredError, TenantMismatchError } from '../errors/index.js';
import type { OrmOption } from '../scope/live-orms.js';
import type { Scope } from '../scope/scope.js';
import { scopeFor } from './run-in.js';

/** What a session or a token says about the tenant that it was made for. */
export interface BoundToTenant {
  /** The key of the tenant's row, so that a rename does not end sessions and no later tenant of the same name takes them over. */
  readonly tenant: string;
}

/**
 * The payload of a session or a token, bound to the tenant of the current scope, or to the public scope. Ids of users begin at 1 in every tenant,
 * and all tenants share the secret that signs: without this, a token of user 1 in one tenant is that of user 1 in every other.
 *
 * @throws TenantContextRequiredError outside any scope.
 */
export function boundToTenant<Payload extends object>(payload: Payload, options?: OrmOption): Payload & BoundToTenant {
  const tenant = boundTo(options);

  if (tenant === undefined) {
    throw TenantContextRequiredError.noTenant(scopeFor(options)?.kind);
  }

  return { ...payload, tenant };
}

/**
 * Returns the payload of a verified session or token, if it is bound to the tenant of the current scope.
 *
 * @throws TenantMismatchError `TENANT_MISMATCH`, status 401, if it is bound to another tenant or to none, and outside any scope.
 */
export function assertSameTenant<Payload>(payload: Payload, options?: OrmOption): Payload & BoundToTenant {
  if (!isSameTenant(payload, options)) {
    throw new TenantMismatchError();
  }

  return payload;
}

/** Whether a verified session or token is bound to the tenant of the current scope. Outside any scope, none is. */
export function isSameTenant<Payload>(payload: Payload, options?: OrmOption): payload is Payload & BoundToTenant {
  const tenant = boundTo(options);
  const bound: unknown =
    typeof payload === 'object' && payload !== null && Object.hasOwn(payload, 'tenant')
      ? (payload as Partial<BoundToTenant>).tenant
      : undefined;

  return tenant !== undefined && bound === tenant;
}

function boundTo(options: OrmOption | undefined): string | undefined {
  const scope = scopeFor(options);

  if (scope === undefined || scope.kind === 'public') {
    return scope && PUBLIC;
  }

  const key = keyOf(scope);

  // no key is the text of the public scope
  return key === undefined ? undefined : `key:${key}`;
}

function keyOf({ identity, tenant }: Scope & { readonly kind: 'tenant' }): string | undefined {
  return identity?.key ?? (Utils.isEntity<object>(tenant) ? helper(tenant).getSerializedPrimaryKey() : undefined);
}

const PUBLIC = 'public';
