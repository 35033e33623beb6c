import type { Scope } from './scope.js';
import type { TenantRef } from './tenant-identity.js';

/** The tenant that an EntityManager reads and writes: that of the scope it was made in, else whoever has the name of its schema. */
export function tenantOfEm(em: ScopedEm | undefined): TenantRef | undefined {
  // to MikroORM's EntityManager it is a question, which it asks its context
  const schema = em?.schema;

  if (em === undefined || schema === undefined) {
    return undefined;
  }

  const scope = em.boundScope;

  return scope?.kind === 'tenant' && scope.schemaName === schema ? scope : { schemaName: schema };
}

/** What an EntityManager is now, if its schema is changed later. */
export function scopedEm({ schema, boundScope }: ScopedEm): ScopedEm {
  return { schema, boundScope };
}

/** What is read of an EntityManager. */
export interface ScopedEm {
  readonly schema: string | undefined;
  readonly boundScope?: Scope | undefined;
}
