import type { TenantFilter } from '../tenant/options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { OrmSelectionError } from '../errors/index.js';
import { innermostScope, type Scope } from './scope.js';

/** What a scope needs of an ORM; the smallest thing that serves. */
export interface ScopeHost<Em = unknown> {
  readonly publicSchema: string;

  /** Runs `fn` in the scope with an EntityManager of its own, which is also what the global `orm.em` then is. */
  enter<Result>(scope: Scope, fn: (em: Em) => Result): Result;

  /** The tenant of that schema name. */
  findTenant(schemaName: string): Promise<TenantMixin<unknown> | undefined>;

  /** Every tenant that matches, by schema name. */
  findTenants(where: TenantFilter | undefined): Promise<readonly TenantMixin<unknown>[]>;

  /** Throws unless the name may be a tenant's. */
  checkSchemaName(schemaName: unknown): string;

  /** Whether the flow is inside a transaction of this ORM, so that its work shares one connection. */
  isInTransaction(): boolean;
}

/** Says which ORM is meant where there are several. */
export interface OrmOption {
  readonly orm?: { readonly config: object };
}

/** The ORMs with tenants that are initialised and not closed, the latest last. */
const live = new Map<object, ScopeHost>();

/** Makes a host the one that is found by its ORM's config. */
export function registerHost(config: object, host: ScopeHost): void {
  live.set(config, host);
}

export function unregisterHost(config: object): void {
  live.delete(config);
}

/**
 * The host to work with: the one of `{ orm }`, else the one of the scope the flow is in, else the only live one.
 *
 * @throws OrmSelectionError `ORM_WITHOUT_TENANTS`, `NO_ORM` or `SEVERAL_ORMS`.
 */
export function resolveHost({ orm }: OrmOption = {}): ScopeHost {
  if (orm !== undefined) {
    const host = live.get(orm.config);

    if (host === undefined) {
      throw OrmSelectionError.withoutTenants();
    }

    return host;
  }

  const scope = innermostScope();

  if (scope !== undefined) {
    return scope.host as ScopeHost;
  }

  if (live.size > 1) {
    throw OrmSelectionError.several(live.size);
  }

  for (const host of live.values()) {
    return host;
  }

  throw OrmSelectionError.none();
}
