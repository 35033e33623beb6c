import { helper, Utils } from '@mikro-orm/core';
import { fromCache } from '../orm/result-cache.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantMixin } from '../tenant-mixin.js';
import type { HeldTenant } from './directory.js';

/**
 * A tenant as the directory holds it: the data of its row, of no EntityManager. Nobody is given the data itself: each request gets an entity
 * of its own made of a copy, as it would of MikroORM's result cache, so nothing that one does to it is seen by another.
 */
export interface HeldRow extends HeldTenant {
  /** A new entity, managed by a fork of its own. */
  copy(): TenantMixin<unknown>;
}

/** Takes the data of a loaded tenant. `fork` gives an EntityManager that nobody else has, for a copy. */
export function holdRow(row: TenantMixin<unknown>, fork: () => TenantEntityManager): HeldRow {
  const data: object = helper(row).toPOJO();
  const TenantClass = row.constructor;

  return { schemaName: row.schemaName, copy: () => fromCache(fork(), TenantClass, Utils.copy(data), false, undefined) };
}
