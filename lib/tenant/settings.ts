import { TenantSettingError } from '../errors/index.js';

/** What a tenant, its class or the options say about its schema. It is never taken from data, as data may come from a request. */
export const TENANT_SETTINGS = ['autoCreateSchema', 'autoDropSchema'] as const;

export type TenantSetting = (typeof TENANT_SETTINGS)[number];

/**
 * Refuses data for a tenant that has a setting in it.
 *
 * @throws TenantSettingError `TENANT_SETTING_REFUSED`
 */
export function refuseSettings(data: unknown): void {
  const found =
    typeof data === 'object' && data !== null
      ? TENANT_SETTINGS.find(name => Object.hasOwn(data, name) && (data as Record<string, unknown>)[name] !== undefined)
      : undefined;

  if (found !== undefined) {
    throw new TenantSettingError(found);
  }
}

/** The data that a constructor assigns. A key that would change what the tenant is, such as `__proto__`, is left out, as MikroORM does. */
export function assignable(data: Readonly<Record<string, unknown>>): [string, unknown][] {
  refuseSettings(data);

  return Object.entries(data).filter(([key]) => !NEVER_ASSIGNED.has(key));
}

/** What the tenant says itself, else its class. Not what every object has, nor a `constructor` that data has brought. */
export function settingOf(tenant: object, name: TenantSetting): boolean | undefined {
  const { constructor } = Object.getPrototypeOf(tenant) as object;

  return said(tenant, name) ?? said(constructor, name);
}

function said(object: object, name: TenantSetting): boolean | undefined {
  for (let each: object | null = object; each !== null && !EVERYBODYS.has(each); each = Object.getPrototypeOf(each) as object | null) {
    const value = Object.hasOwn(each, name) ? (Reflect.get(each, name, object) as boolean | null | undefined) : undefined;

    if (value !== undefined && value !== null) {
      return value;
    }
  }

  return undefined;
}

const NEVER_ASSIGNED: ReadonlySet<string> = new Set([...TENANT_SETTINGS, '__proto__', 'constructor', 'prototype']);

const EVERYBODYS: ReadonlySet<object> = new Set([Object.prototype, Function.prototype]);
