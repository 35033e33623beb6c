import { helper } from '@mikro-orm/core';
import type { TenantDatabase } from '../database/tenant-database.js';
import { hasParametersOfCaller } from '../database/served-tenants.js';
import type { HeldRow } from '../directory/held-tenant.js';
import {
  DirectoryUnavailableError,
  TenantContextRequiredError,
  TenantMaintenanceError,
  TenantSuspendedError,
  UnknownTenantError,
} from '../errors/index.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import type { OrmOption } from '../scope/live-orms.js';
import { heldScopeOf, publicScope, scopeOf, type IdentifiedTenant } from '../scope/make-scope.js';
import { refuseRowOfOther } from '../scope/same-database.js';
import { innermostScope, type Scope } from '../scope/scope.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { Tenancy } from '../tenancy.js';

export interface RunInTenantOptions extends OrmOption {
  /**
   * Whether a tenant that is suspended or in maintenance is refused, as it is on the web. Without it, the work runs whatever the state is. The
   * state is as recent as the directory.
   *
   * @default false
   */
  readonly onlyActive?: boolean;
}

/**
 * Runs `fn` in the scope of one tenant, given as its row or its schema name. In this scope, tenant entities are read from and written to
 * the tenant's schema. `fn` gets a fork for the tenant, and the global `orm.em` is this fork too. If the caller is in a transaction, the
 * work joins it, unless the transaction has ended: what was queued in it and runs later is outside of it.
 *
 * A row is found again by its key. If the tenant was renamed since the row was loaded, `fn` runs under the new name and gets the current row.
 * The scope belongs to that tenant, not to its name: when the tenant is renamed or dropped while `fn` runs, the rest of its work fails with
 * `TENANT_CHANGED`.
 *
 * The row of a public tenant gives the public scope.
 *
 * @throws UnknownTenantError `TENANT_UNKNOWN` before `fn` runs, if no tenant has this schema name or this key.
 * @throws TenantSuspendedError `TENANT_SUSPENDED` or TenantMaintenanceError `TENANT_IN_MAINTENANCE` before `fn` runs, with `onlyActive`.
 */
export async function runInTenant<Result, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  tenant: Tenant | string,
  fn: (em: TenantEntityManager, tenant: Tenant) => Result | Promise<Result>,
  options?: RunInTenantOptions,
): Promise<Result> {
  const tenancy = Tenancy.select(options);

  return tenancy.inOpenTransaction(async () => {
    const held = typeof tenant === 'string' ? await findHeld(tenancy, tenant) : undefined;

    if (held !== undefined) {
      refuseInactive(held, options);
      const scope = heldScopeOf(tenancy.rules, held);

      return tenancy.enter<Promise<Result>>(scope, async em => fn(em, (scope.kind === 'tenant' ? scope.tenant : held.copy()) as Tenant));
    }

    const found = await findOrFail<Tenant>(tenancy, tenant);

    if (options?.onlyActive === true && !tenancy.rules.isPublicTenant(found.row)) {
      // the caller's row may be an old one
      refuseInactive(await tenancy.findHeld({ property: 'schemaName', value: found.row.schemaName }), options);
    }

    return tenancy.enter<Promise<Result>>(scopeOf(tenancy.rules, found), async em => fn(em, found.row));
  });
}

/** One that has gone meanwhile has no state, and its scope refuses all work. */
function refuseInactive(held: HeldRow | undefined, options: RunInTenantOptions | undefined): void {
  if (options?.onlyActive === true && held?.state === 'suspended') {
    throw new TenantSuspendedError();
  }

  if (options?.onlyActive === true && held?.state === 'maintenance') {
    throw new TenantMaintenanceError();
  }
}

/**
 * The tenant of a name, if the directory knows it or finds it. It may be as old as that of a host where changes are heard, and else a moment. A
 * name that the directory does not know is looked up again: a tenant may have been created since.
 */
async function findHeld(tenancy: Tenancy, schemaName: string): Promise<HeldRow | undefined> {
  // a transaction may see what nobody else does, and a filter with parameters may hide what others see
  if (tenancy.database.isInTransaction || !isText(schemaName) || hasParametersOfCaller(tenancy.database.orm, tenancy.rules)) {
    return undefined;
  }

  try {
    const held = await tenancy.directory.find({ property: 'schemaName', value: schemaName });
    const { identities } = tenancy.rules;

    // else the first statement of the scope would ask, and in a transaction that may come too early
    return held?.identity === undefined || identities.confirmationsOf('write').isTrusted(held.identity) ? held : undefined;
  } catch (error) {
    if (error instanceof DirectoryUnavailableError) {
      return undefined;
    }

    throw error;
  }
}

/**
 * Runs `fn` in the public scope, even if the caller is in a tenant's scope. Only shared entities can be used here. Tenants can be created,
 * renamed and deleted.
 */
export async function runInPublic<Result>(fn: (em: TenantEntityManager) => Result | Promise<Result>, options?: OrmOption): Promise<Result> {
  const tenancy = Tenancy.select(options);

  return tenancy.inOpenTransaction(() => tenancy.enter<Promise<Result>>(publicScope(tenancy.rules), async em => fn(em)));
}

/**
 * The tenant of the current scope, with the data it had when the scope was entered. Undefined in the public scope and outside any scope.
 * No EntityManager of the scope manages this entity, and each request gets its own copy. In a relation it is a reference: what was changed on it
 * is not stored with what refers to it. To change the row, load it in the scope.
 */
export function currentTenant<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(options?: OrmOption): Tenant | undefined {
  const scope = scopeFor(options);

  return scope?.kind === 'tenant' ? (scope.tenant as Tenant) : undefined;
}

/**
 * The tenant of the current scope.
 *
 * @throws TenantContextRequiredError in the public scope and outside any scope.
 */
export function requireTenant<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(options?: OrmOption): Tenant {
  const tenant = currentTenant<Tenant>(options);

  if (tenant === undefined) {
    throw TenantContextRequiredError.noTenant(scopeFor(options)?.kind);
  }

  return tenant;
}

/** The schema of the current scope: the tenant's schema, or the public schema. Undefined outside any scope. */
export function currentSchema(options?: OrmOption): string | undefined {
  const scope = scopeFor(options);

  return scope?.kind === 'tenant' ? scope.schemaName : scope && TenantRules.of(scope.config).publicSchema;
}

/** @internal */
export function scopeFor(options: OrmOption | undefined): Scope | undefined {
  return options?.orm === undefined ? innermostScope() : Tenancy.select(options).rules.scope;
}

async function findOrFail<Tenant extends TenantMixin<unknown>>(
  { rules, database }: Tenancy,
  tenant: Tenant | string,
): Promise<IdentifiedTenant<Tenant>> {
  if (typeof tenant !== 'string' && !(tenant instanceof rules.tenantMeta.root.class)) {
    throw UnknownTenantError.notATenant(tenant);
  }

  const schemaName = typeof tenant === 'string' ? tenant : tenant.schemaName;
  let row = typeof tenant === 'string' ? undefined : tenant;

  if (row !== undefined) {
    refuseRowOfOther(row, rules.config);
  }

  if (row !== undefined && rules.isPublicTenant(row)) {
    return { row, identity: undefined };
  }

  if (row !== undefined) {
    rules.checkSchemaName(schemaName);
  }

  // a row that was never stored may have no key
  if (row === undefined || (helper(row).getPrimaryKey() as unknown) == null) {
    row = await findByName<Tenant>(database, schemaName);
  }

  const found = row && (await database.tenants.identify([row]))[0];

  if (found === undefined) {
    throw new UnknownTenantError([schemaName]);
  }

  return found;
}

async function findByName<Tenant>(database: TenantDatabase, schemaName: string): Promise<Tenant | undefined> {
  return isText(schemaName) ? ((await database.tenants.findOneServed({ schemaName })) as Tenant | undefined) : undefined;
}

/** PostgreSQL rejects text with a null byte or half a surrogate pair, with an error of its own. */
function isText(schemaName: string): boolean {
  return !schemaName.includes('\0') && !/\p{Surrogate}/u.test(schemaName);
}
