import { TenantJobError } from '../errors/index.js';
import { leaveScope } from '../orm/mikro-context.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import { sqlStateOf } from '../postgres/sql-state.js';
import { jsonKeyOf, type JsonKey } from '../scope/key-of-scope.js';
import type { OrmOption } from '../scope/live-orms.js';
import { publicScope, scopeOf, type IdentifiedTenant } from '../scope/make-scope.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { stateOf, type TenantState } from '../tenant/tenant-state.js';
import { Tenancy } from '../tenancy.js';
import { readCaptured, type CapturedOutside, type CapturedTenant, type CapturedWork } from './captured-value.js';
import { scopeFor } from './run-in.js';

export interface ResumeTenantOptions extends OrmOption {
  /**
   * In which states of the tenant the work runs. It makes a difference only if the tenant entity extends `TenantStateMixin`.
   *
   * @default ['active']
   */
  readonly states?: readonly TenantState[];

  /**
   * Whether the tenant is known by its key alone. A dump that was restored gives each schema another object id, so that work which was queued
   * before is refused without this option. With it, work of a deleted tenant runs in a later one that was given the same key.
   *
   * @default false
   */
  readonly restored?: boolean;
}

/**
 * Says where work that is done later belongs: a small value for JSON that is stored with a job, and that `resumeTenant()` takes. In a tenant's
 * scope it has the key of the tenant's row and its present name, never the row. In the public scope and outside any scope it says just that.
 *
 * @throws TenantJobError `JOB_TENANT_INVALID` where the key of the tenant is not known, as in a migration.
 */
export function captureTenant(options?: OrmOption): CapturedWork {
  const scope = scopeFor(options);

  if (scope?.kind !== 'tenant') {
    return { v: 1, scope: scope === undefined ? 'none' : 'public' };
  }

  const { schemaName, identity } = scope;
  const key: JsonKey | undefined = jsonKeyOf(scope);

  if (key === undefined) {
    throw TenantJobError.noKey(schemaName);
  }

  return { v: 1, key, schema: schemaName, ...(identity?.schemaOid === undefined ? {} : { oid: identity.schemaOid }) };
}

/**
 * Runs `fn` where the work was captured: in a new scope of the tenant, which is looked up again by its key, or in the public scope, or in none.
 * Nothing of the caller's scope and transaction reaches `fn`. A tenant that was renamed is found. `tenant` is undefined outside of a tenant.
 *
 * @throws TenantJobError with `retryable` false: `JOB_TENANT_INVALID` for what `captureTenant()` has not made, `JOB_TENANT_GONE` for a tenant that
 * was deleted, `JOB_TENANT_SUSPENDED`. With `retryable` true: `JOB_TENANT_IN_MAINTENANCE`. All of them before `fn` runs.
 */
export async function resumeTenant<Result, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  value: unknown,
  fn: (em: TenantEntityManager, tenant: Tenant | undefined) => Result | Promise<Result>,
  options: ResumeTenantOptions = {},
): Promise<Result> {
  const captured = readCaptured(value);
  const tenancy = Tenancy.select(options);

  // a worker may have been started by a request, and would run all its jobs in the request's scope
  return leaveScope(async () => {
    if ('scope' in captured) {
      return resumeOutside(tenancy, captured, fn);
    }

    const found = await findAgain(tenancy, captured, options);

    return tenancy.enter<Promise<Result>>(scopeOf(tenancy.rules, found), async em => fn(em, found.row as Tenant));
  });
}

async function resumeOutside<Result>(
  tenancy: Tenancy,
  { scope }: CapturedOutside,
  fn: (em: TenantEntityManager, tenant: undefined) => Result | Promise<Result>,
): Promise<Result> {
  return scope === 'public'
    ? tenancy.enter<Promise<Result>>(publicScope(tenancy.rules), async em => fn(em, undefined))
    : fn(tenancy.database.orm.em.fork(), undefined);
}

async function findAgain(
  tenancy: Tenancy,
  captured: CapturedTenant,
  { states = ACTIVE, restored = false }: ResumeTenantOptions,
): Promise<IdentifiedTenant> {
  const { key, schema, oid } = captured;
  const found = await findByKey(tenancy, [key].flat());

  // the public tenant has no scope of its own, so nothing was captured in it
  if (found === undefined || tenancy.rules.isPublicTenant(found.row)) {
    throw TenantJobError.gone(schema);
  }

  const now = found.identity?.schemaOid;

  if (!restored && oid !== undefined && now !== undefined && oid !== now) {
    throw TenantJobError.replaced(schema);
  }

  const state = stateOf(found.row);

  if (!states.includes(state)) {
    throw state === 'maintenance' ? TenantJobError.inMaintenance(found.row.schemaName) : TenantJobError.suspended(found.row.schemaName);
  }

  return found;
}

async function findByKey({ rules, database }: Tenancy, keyValues: readonly (string | number)[]): Promise<IdentifiedTenant | undefined> {
  const { root } = rules.tenantMeta;
  const columns = root.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);

  if (columns.length !== keyValues.length) {
    throw TenantJobError.invalid(`its key has ${keyValues.length} values, and that of ${root.className} has ${columns.length}`);
  }

  try {
    return await database.tenants.findServedByKey(keyValues);
  } catch (error) {
    // such as a text where the column is a number
    if (sqlStateOf(error)?.startsWith('22') === true) {
      throw TenantJobError.invalid(`its key is no value for the key of ${root.className}`, error);
    }

    throw error;
  }
}

const ACTIVE: readonly TenantState[] = ['active'];
