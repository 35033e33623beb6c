import { Utils, type EntityMetadata } from '@mikro-orm/core';
import type { TenantRules } from '../scope/tenant-rules.js';
import { refuseSettings } from '../tenant/settings.js';

/**
 * Refuses data for an entity that would give a tenant a setting: the entity itself, or one that the data has in a relation. A constructor of
 * the user's own may assign all that it is given, so this cannot be left to the constructor of `TenantMixin`.
 *
 * @throws TenantSettingError `TENANT_SETTING_REFUSED`
 */
export function refuseSettingsInData(data: unknown, meta: EntityMetadata | undefined, rules: TenantRules): void {
  if (meta === undefined || !mayHoldTenants(meta, rules)) {
    return;
  }

  for (const each of (Array.isArray(data) ? data : [data]).filter(isData)) {
    if (rules.isTenantClass(meta)) {
      refuseSettings(each);
    }

    for (const { name, targetMeta } of meta.relations) {
      refuseSettingsInData(each[name], targetMeta, rules);
    }
  }
}

/** Whether the entity is a tenant, or its relations lead to tenants. Most do not, and their data is not looked at. */
function mayHoldTenants(meta: EntityMetadata, rules: TenantRules): boolean {
  let answer = known.get(meta);

  // two ORMs may share metadata
  if (answer?.rules !== rules) {
    answer = { rules, leads: leadsToTenants(meta, rules) };
    known.set(meta, answer);
  }

  return answer.leads;
}

function leadsToTenants(meta: EntityMetadata, rules: TenantRules, seen = new Set<EntityMetadata>()): boolean {
  if (rules.isTenantClass(meta)) {
    return true;
  }

  if (seen.has(meta)) {
    return false;
  }

  seen.add(meta);

  return meta.relations.some(({ targetMeta }) => targetMeta !== undefined && leadsToTenants(targetMeta, rules, seen));
}

const known = new WeakMap<EntityMetadata, { readonly rules: TenantRules; readonly leads: boolean }>();

// not only a plain object, as a key `constructor` makes any other of it
function isData(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Utils.isEntity(value, true);
}
