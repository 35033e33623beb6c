import { helper, type ChangeSet } from '@mikro-orm/core';
import { TenantDatabase } from '../database/tenant-database.js';
import type { Flush } from '../entities/flush-check.js';
import { HostConflictError } from '../errors/index.js';
import { quoteIdentifier, quoteTable } from '../postgres/schema-name.js';
import { isDeadlock } from '../postgres/sql-state.js';

/**
 * Locks the tenants of all domains that a flush writes, before it writes the first of them. An update or a delete of domains takes the lock of all
 * domains before its first row, and PostgreSQL checks the foreign key of a row that is written twice, as that of a new primary domain is. Without
 * this, such a flush would wait for a tenant that another transaction has locked, and keep that transaction from writing domains.
 */
export async function lockTenantsOfDomains(changeSets: readonly ChangeSet<object>[], flush: Flush): Promise<void> {
  const { em, rules } = flush;

  if (!changeSets.some(({ meta }) => rules.isDomainClass(meta)) || changeSets.every(each => locked.has(each))) {
    return;
  }

  const all = flush.uow.getChangeSets().filter(({ meta }) => rules.isDomainClass(meta));
  all.forEach(each => locked.add(each));
  const { root } = rules.tenantMeta;
  const columns = root.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames.map(quoteIdentifier));
  const keys = [...new Map(all.flatMap(tenantsOf).map(key => [JSON.stringify(key), key])).values()].filter(
    // a composite key that is not simple is left to the foreign key
    key => key.length === columns.length,
  );

  if (keys.length === 0) {
    return;
  }

  const row = columns.length === 1 ? '?' : `(${columns.map(() => '?').join(', ')})`;
  await TenantDatabase.of(em.config).execute(
    `select 1 from ${quoteTable(root.schema ?? rules.publicSchema, root.tableName)} where (${columns.join(', ')}) in (${keys.map(() => row).join(', ')}) ` +
      `order by ${columns.join(', ')} for key share`,
    keys.flat(),
    em.getTransactionContext(),
  );
}

/** What a deadlock of a flush that writes domains is to the caller. Any other error as it is. */
export function explainDomainConflict(error: unknown, changeSets: readonly ChangeSet<object>[], { rules }: Flush): unknown {
  return isDeadlock(error) && changeSets.some(({ meta }) => rules.isDomainClass(meta)) ? new HostConflictError({ cause: error }) : error;
}

/** The keys of the tenants that a domain belongs to, before and after. A tenant that is new has none, and nobody else has locked it. */
function tenantsOf({ entity, originalEntity }: ChangeSet<any>): unknown[][] {
  const { tenant } = entity;
  const now = tenant === undefined || tenant === null ? undefined : helper(tenant).getPrimaryKeys(true);
  const before: unknown = originalEntity?.tenant;

  return [now, before === undefined || before === null ? undefined : [before].flat()].filter(
    (key): key is unknown[] => Array.isArray(key) && key.every(each => ['string', 'number', 'bigint'].includes(typeof each)),
  );
}

const locked = new WeakSet<ChangeSet<object>>();
