import { RawQueryFragment } from '@mikro-orm/core';
import { carriedBy } from '../../scope/carried-tenants.js';
import type { TenantRef } from '../../scope/tenant-identity.js';
import type { Query } from './kysely-types.js';
import type { SqlTarget } from './sql-target.js';

/** For whom a query of Kysely's was built. Its builder may have been made in another scope than it is run in. */
export interface BuiltQuery {
  /** The tenant of the instance that built it. */
  readonly target: SqlTarget | undefined;
  /** That one, or for an instance of nobody's the tenants whose tables and queries are in it. */
  readonly tenants: readonly string[];
}

export function setTenantsOfQuery(queryId: object, tenant: TenantRef | undefined, tenants: readonly string[]): void {
  if (tenant === undefined && tenants.length === 0) {
    return;
  }

  const built: BuiltQuery = { target: tenant === undefined ? undefined : { kind: 'tenant', ...tenant }, tenants };

  if (Object.isExtensible(queryId)) {
    (queryId as MarkedId)[BUILT] = built;
  } else {
    ofFrozen.set(queryId, built);
  }
}

/** Undefined for what no builder has made, and for what is no tenant's. */
export function builtQuery(queryId: object): BuiltQuery | undefined {
  // a query that somebody has put together may lack it
  return (queryId as MarkedId | undefined)?.[BUILT] ?? ofFrozen.get(queryId);
}

/**
 * Whether Kysely has not compiled the query: what it has compiled has an identity. It also runs what only looks like it, such as a fragment, or what a native query of
 * MikroORM's compiles to.
 */
export function isOfNoCompiler({ queryId }: Pick<Query, 'queryId'>): boolean {
  return (queryId as object | undefined) === undefined;
}

/** The tenants that such a query was built for. */
export function carriedByText(query: Query): readonly string[] {
  const { params = [], parameters = params } = query as Partial<Query> & { readonly params?: readonly unknown[] };

  return carriedBy([query, new RawQueryFragment(query.sql, parameters as unknown[])]);
}

/** On what Kysely makes for each query, as a `WeakMap` takes longer than all else that is done with one. */
const BUILT: unique symbol = Symbol('for whom a query of Kysely was built');

const ofFrozen = new WeakMap<object, BuiltQuery>();

interface MarkedId {
  [BUILT]?: BuiltQuery;
}
