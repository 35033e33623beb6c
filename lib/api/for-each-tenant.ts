import pMap from 'p-map';
import type { TenantDatabase } from '../database/tenant-database.js';
import { TenantVisitsError, UnknownTenantError } from '../errors/index.js';
import type { TenantFilter } from '../tenant/options.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { stateOf, TenantStateMixin, type TenantState } from '../tenant/tenant-state.js';
import { GRACE_MS } from '../directory/grace.js';
import type { OrmOption } from '../scope/live-orms.js';
import { publicScope, scopeOf, type IdentifiedTenant } from '../scope/make-scope.js';
import { Tenancy } from '../tenancy.js';
import { inSavepoint } from './in-savepoint.js';

export interface ForEachTenantOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends OrmOption {
  /**
   * How many tenants are processed at once. Each may use a connection, so a number above the size of the pool only makes them wait.
   * Inside a transaction it is always 1, because one connection runs one query at a time.
   *
   * @default 4
   */
  readonly concurrency?: number;

  /** Selects tenants by a condition on the tenant entity. @default all */
  readonly where?: TenantFilter<Tenant>;

  /**
   * In which states tenants are visited. It makes a difference only if the tenant entity extends `TenantStateMixin`. One that gets into another
   * state before its visit is left out too, and has no outcome. The state is at most a second old.
   *
   * @default ['active']
   */
  readonly states?: readonly TenantState[];

  /** Whether `fn` also runs for the public schema: first, with `tenant` undefined. @default false */
  readonly includePublic?: boolean;

  /** Whether failed visits are given as outcomes, rather than thrown at the end. @default false */
  readonly settle?: boolean;
}

/** A visit that succeeded. */
export interface TenantVisit<Result> {
  readonly schemaName: string;
  readonly ok: true;
  readonly value: Result;
}

/** The result for one tenant. */
export type TenantOutcome<Result> = TenantVisit<Result> | { readonly schemaName: string; readonly ok: false; readonly error: unknown };

/**
 * Runs `fn` for each tenant, in its own scope and its own fork, with limited concurrency. A failure does not stop the others.
 * Resolves to one outcome per tenant, in the order of the schema names when they were listed. A tenant that is renamed before its visit is
 * visited under its new name. The outcome of one that is dropped before its visit is the error `TENANT_UNKNOWN`.
 *
 * If a visit fails, the promise rejects after the last visit, unless `settle` is set: then the failures are among the outcomes.
 *
 * In a transaction each visit is a savepoint. If a visit fails, only its own changes are rolled back. The changes of the others are stored when
 * the transaction is committed.
 *
 * @throws TenantVisitsError `TENANT_VISITS_FAILED`, an `AggregateError` that has all outcomes
 */
export async function forEachTenant<Result, Tenant extends AnyTenant = AnyTenant>(
  fn: Visitor<Result, Tenant>,
  options?: ForEachTenantOptions<Tenant> & { readonly includePublic?: false; readonly settle?: false },
): Promise<TenantVisit<Result>[]>;
export async function forEachTenant<Result, Tenant extends AnyTenant = AnyTenant>(
  fn: Visitor<Result, Tenant>,
  options: ForEachTenantOptions<Tenant> & { readonly includePublic?: false },
): Promise<TenantOutcome<Result>[]>;
export async function forEachTenant<Result, Tenant extends AnyTenant = AnyTenant>(
  fn: Visitor<Result, Tenant | undefined>,
  options: ForEachTenantOptions<Tenant> & { readonly settle?: false },
): Promise<TenantVisit<Result>[]>;
export async function forEachTenant<Result, Tenant extends AnyTenant = AnyTenant>(
  fn: Visitor<Result, Tenant | undefined>,
  options?: ForEachTenantOptions<Tenant>,
): Promise<TenantOutcome<Result>[]>;
export async function forEachTenant<Result>(
  // which of them it is depends on `includePublic`
  fn: Visitor<Result, any>,
  options: ForEachTenantOptions = {},
): Promise<TenantOutcome<Result>[]> {
  const tenancy = Tenancy.select(options);

  return tenancy.inOpenTransaction(() => visitAll(tenancy, fn, options));
}

async function visitAll<Result, Tenant extends AnyTenant>(
  tenancy: Tenancy,
  fn: Visitor<Result, Tenant | undefined>,
  options: ForEachTenantOptions,
): Promise<TenantOutcome<Result>[]> {
  const { database, rules } = tenancy;
  const { states = ACTIVE } = options;
  const listedAt = performance.now();
  const rows = await database.tenants.findServed(options.where);
  // a public tenant has no schema of its own, and so no tenant tables
  const tenants = rows.filter(row => !rules.isPublicTenant(row) && states.includes(stateOf(row))) as Tenant[];
  const visits: (Tenant | undefined)[] = options.includePublic === true ? [undefined, ...tenants] : tenants;
  const isLeftOut = async (row: Tenant): Promise<boolean> =>
    performance.now() - listedAt >= GRACE_MS && row instanceof TenantStateMixin && !states.includes(await stateNow(database, row));
  const outcomes = await pMap(visits, tenant => visit(tenancy, tenant, { fn, isLeftOut }), {
    concurrency: database.isInTransaction ? 1 : (options.concurrency ?? DEFAULT_CONCURRENCY),
  }).then(all => all.filter(outcome => outcome !== undefined));

  if (options.settle !== true && outcomes.some(({ ok }) => !ok)) {
    throw new TenantVisitsError(outcomes);
  }

  return outcomes;
}

async function visit<Result, Tenant extends TenantMixin<unknown>>(
  tenancy: Tenancy,
  tenant: Tenant | undefined,
  { fn, isLeftOut }: { readonly fn: Visitor<Result, Tenant | undefined>; readonly isLeftOut: (row: Tenant) => Promise<boolean> },
): Promise<TenantOutcome<Result> | undefined> {
  const { rules, database } = tenancy;
  let schemaName = tenant?.schemaName ?? rules.publicSchema;

  try {
    const found = tenant && (await identify(database, tenant));
    schemaName = found?.row.schemaName ?? schemaName;

    if (found !== undefined && (await isLeftOut(found.row))) {
      return undefined;
    }

    const scope = found === undefined ? publicScope(rules) : scopeOf(rules, found);

    return { schemaName, ok: true, value: await tenancy.enter(scope, async em => inSavepoint(em, () => fn(em, found?.row))) };
  } catch (error) {
    return { schemaName, ok: false, error };
  }
}

/** One that has gone meanwhile has no other state, and its scope refuses all work. */
async function stateNow({ tenants }: TenantDatabase, row: AnyTenant): Promise<TenantState> {
  return stateOf((await tenants.findOneServed({ schemaName: row.schemaName })) ?? row);
}

// the tenant may have changed since it was listed
async function identify<Tenant extends TenantMixin<unknown>>(database: TenantDatabase, tenant: Tenant): Promise<IdentifiedTenant<Tenant>> {
  const [found] = await database.tenants.identify([tenant]);

  if (found === undefined) {
    throw new UnknownTenantError([tenant.schemaName]);
  }

  return found;
}

type Visitor<Result, Tenant> = (em: TenantEntityManager, tenant: Tenant) => Result | Promise<Result>;

type AnyTenant = TenantMixin<unknown>;

const DEFAULT_CONCURRENCY = 4;

const ACTIVE: readonly TenantState[] = ['active'];
