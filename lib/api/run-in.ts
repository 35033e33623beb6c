import { TenantContextRequiredError, UnknownTenantError } from '../errors/index.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import type { OrmOption } from '../scope/live-orms.js';
import { publicScope, scopeOf } from '../scope/make-scope.js';
import { innermostScope, type Scope } from '../scope/scope.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { Tenancy } from '../tenancy.js';

/**
 * Runs `fn` in the scope of one tenant, given as its row or its schema name. In this scope, tenant entities are read from and written to
 * the tenant's schema. `fn` gets a fork for the tenant, and the global `orm.em` is this fork too. If the caller is in a transaction, the
 * work joins it.
 *
 * The row of a public tenant gives the public scope.
 *
 * @throws UnknownTenantError `TENANT_UNKNOWN` before `fn` runs, if no tenant has this schema name.
 */
export async function runInTenant<Result, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  tenant: Tenant | string,
  fn: (em: TenantEntityManager, tenant: Tenant) => Result | Promise<Result>,
  options?: OrmOption,
): Promise<Result> {
  const tenancy = Tenancy.select(options);
  const row = typeof tenant === 'string' ? await findOrFail<Tenant>(tenancy, tenant) : tenant;

  return tenancy.enter<Promise<Result>>(scopeOf(tenancy.rules, row), async em => fn(em, row));
}

/**
 * Runs `fn` in the public scope, even if the caller is in a tenant's scope. Only shared entities can be used here. Tenants can be created,
 * renamed and deleted.
 */
export async function runInPublic<Result>(fn: (em: TenantEntityManager) => Result | Promise<Result>, options?: OrmOption): Promise<Result> {
  const tenancy = Tenancy.select(options);

  return tenancy.enter<Promise<Result>>(publicScope(tenancy.rules), async em => fn(em));
}

/**
 * The tenant of the current scope, with the data it had when the scope was entered. Undefined in the public scope and outside any scope.
 * No EntityManager of the scope manages this entity, and each request gets its own copy. To change the row, load it in the scope.
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

function scopeFor(options: OrmOption | undefined): Scope | undefined {
  return options?.orm === undefined ? innermostScope() : Tenancy.select(options).rules.scope;
}

async function findOrFail<Tenant>(tenancy: Tenancy, schemaName: string): Promise<Tenant> {
  // PostgreSQL rejects text with a null byte or half a surrogate pair, with an error of its own
  const isText = !schemaName.includes('\0') && !/\p{Surrogate}/u.test(schemaName);
  const tenant = isText ? await tenancy.database.tenants.findOne({ schemaName }) : undefined;

  if (tenant === undefined) {
    throw new UnknownTenantError([schemaName]);
  }

  return tenant as Tenant;
}
