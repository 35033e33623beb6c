import { ChangeSetType, type ChangeSet, type UnitOfWork } from '@mikro-orm/core';
import type { TenantRules } from '../scope/tenant-rules.js';
import { checkHost } from './check-host.js';

/** Puts the hosts of domains that are about to be written into canonical form, and refuses those that no tenant can have. */
export function checkDomains(
  changeSets: readonly ChangeSet<any>[],
  rules: TenantRules,
  { isComplete }: { readonly isComplete: boolean },
): void {
  for (const { entity, meta, type, payload } of changeSets) {
    const isNew = type === ChangeSetType.CREATE && isComplete;

    if (rules.isDomainClass(meta) && (isNew || payload['domain'] !== undefined)) {
      const canonical = checkHost(payload['domain'], rules, { property: 'domain' });
      entity.domain = canonical;
      payload['domain'] = canonical;
    }
  }
}

/** The same for what MikroORM writes last, because several domains of one flush exchange their hosts. */
export function checkPostponedDomains(uow: UnitOfWork, rules: TenantRules): void {
  for (const [, names, values, changeSet] of uow.getExtraUpdates()) {
    const index = Array.isArray(names) ? names.indexOf('domain') : -1;

    if (changeSet !== undefined && rules.isDomainClass(changeSet.meta) && index >= 0 && Array.isArray(values)) {
      const written: unknown[] = values;
      written[index] = checkHost(written[index], rules, { property: 'domain' });
    }
  }
}
