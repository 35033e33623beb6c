import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import type { IdentifiedAsTenant } from './identification.js';

/**
 * Gives an object the property `tenant`. A getter, because many requests never read the tenant. It is shared by all requests: with functions of
 * its own, each object would get its own hidden class in V8, which makes the whole request measurably slower.
 */
export function exposeTenant(target: object, found: IdentifiedAsTenant): void {
  Object.defineProperty(target, FOUND, { value: found, configurable: true });
  Object.defineProperty(target, 'tenant', TENANT_PROPERTY);
}

function replaceTenant(this: object, value: TenantMixin<unknown> | undefined): void {
  Object.defineProperty(this, 'tenant', { configurable: true, enumerable: true, writable: true, value });
}

const FOUND = Symbol('found');

const TENANT_PROPERTY: PropertyDescriptor & ThisType<{ readonly [FOUND]: IdentifiedAsTenant }> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[FOUND].tenant;
  },
  set: replaceTenant,
};
