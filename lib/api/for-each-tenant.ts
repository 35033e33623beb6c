import pMap from 'p-map';
import type { TenantDatabase } from '../database/tenant-database.js';
import { UnknownTenantError } from '../errors/index.js';
import type { TenantFilter } from '../tenant/options.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import type { OrmOption } from '../scope/live-orms.js';
import { publicScope, scopeOf, type IdentifiedTenant } from '../scope/make-scope.js';
import { Tenancy } from '../tenancy.js';
import { inSavepoint } from './in-savepoint.js';

export interface ForEachTenantOptions extends OrmOption {
  /**
   * How many tenants are worked on at once. Each may hold a connection, so more than the pool has only makes them wait.
   * Inside a transaction it is 1, whatever is said: one connection does one thing at a time.
   *
   * @default 4
   */
  readonly concurrency?: number;

  /** Which tenants, as a condition on the tenant entity. @default all */
  readonly where?: TenantFilter;

  /** Whether `fn` runs for the public schema too, first, with `tenant` undefined. @default false */
  readonly includePublic?: boolean;
}

/** What became of one tenant. */
export type TenantOutcome<Result> =
  | { readonly schemaName: string; readonly ok: true; readonly value: Result }
  | { readonly schemaName: string; readonly ok: false; readonly error: unknown };

/**
 * Runs `fn` for each tenant in a scope and a fork of its own, a bounded number at once. A failure is collected and the rest
 * go on. Resolves to one outcome for each tenant, in the order of their schema names when they were listed. A tenant that is renamed
 * before its visit is visited under its new name; the outcome of one that is no tenant any more by then is `TENANT_UNKNOWN`.
 *
 * In a transaction each visit is a savepoint: where it fails, what it did is rolled back, and nothing else. What the others did is stored
 * when the transaction is committed.
 */
export async function forEachTenant<Result, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  fn: (em: TenantEntityManager, tenant: Tenant | undefined) => Result | Promise<Result>,
  options: ForEachTenantOptions = {},
): Promise<TenantOutcome<Result>[]> {
  const tenancy = Tenancy.select(options);
  const { database, rules } = tenancy;
  const rows = await database.tenants.find(options.where);
  // a public tenant's schema is the public one, and has no tenant tables to work on
  const tenants = rows.filter(row => !rules.isPublicTenant(row)) as Tenant[];
  const visits: (Tenant | undefined)[] = options.includePublic === true ? [undefined, ...tenants] : tenants;

  return pMap(visits, tenant => visit({ tenancy, tenant, fn }), {
    concurrency: database.isInTransaction ? 1 : (options.concurrency ?? DEFAULT_CONCURRENCY),
  });
}

async function visit<Result, Tenant extends TenantMixin<unknown>>({
  tenancy,
  tenant,
  fn,
}: Visit<Result, Tenant>): Promise<TenantOutcome<Result>> {
  const { rules } = tenancy;
  let schemaName = tenant?.schemaName ?? rules.publicSchema;

  try {
    const found = tenant && (await identify(tenancy.database, tenant));
    schemaName = found?.row.schemaName ?? schemaName;
    const scope = found === undefined ? publicScope(rules) : scopeOf(rules, found);

    return { schemaName, ok: true, value: await tenancy.enter(scope, async em => inSavepoint(em, () => fn(em, found?.row))) };
  } catch (error) {
    return { schemaName, ok: false, error };
  }
}

/** @throws UnknownTenantError `TENANT_UNKNOWN` */
async function identify<Tenant extends TenantMixin<unknown>>(database: TenantDatabase, tenant: Tenant): Promise<IdentifiedTenant<Tenant>> {
  const [found] = await database.tenants.identify([tenant]);

  if (found === undefined) {
    throw new UnknownTenantError([tenant.schemaName]);
  }

  return found;
}

const DEFAULT_CONCURRENCY = 4;

interface Visit<Result, Tenant> {
  readonly tenancy: Tenancy;
  readonly tenant: Tenant | undefined;
  readonly fn: (em: TenantEntityManager, tenant: Tenant | undefined) => Result | Promise<Result>;
}
