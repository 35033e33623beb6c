import { helper, Utils } from '@mikro-orm/core';
import type { TenantScope } from './scope.js';

/** The key of a tenant's row in a form that JSON has, with a value for each column of a composite one. */
export type JsonKey = string | number | readonly (string | number)[];

/** The key of the tenant of a scope. Undefined where the scope knows no row, or a value of the key has no form in JSON that leads back to it. */
export function jsonKeyOf({ identity, tenant }: TenantScope): JsonKey | undefined {
  const values =
    identity?.keyValues ?? (Utils.isEntity<object>(tenant) ? (helper(tenant).getPrimaryKeys(true) as readonly unknown[] | null) : []);
  const texts = (values ?? []).map(jsonOf);

  return texts.length === 0 || texts.includes(undefined) ? undefined : texts.length === 1 ? texts[0] : (texts as (string | number)[]);
}

function jsonOf(value: unknown): string | number | undefined {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) {
    return value;
  }

  return typeof value === 'bigint'
    ? String(value)
    : value instanceof Date && !Number.isNaN(value.getTime())
      ? value.toISOString()
      : undefined;
}
