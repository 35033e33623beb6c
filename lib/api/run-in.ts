import { helper } from '@mikro-orm/core';
import type { TenantDatabase } from '../database/tenant-database.js';
import { TenantContextRequiredError, UnknownTenantError } from '../errors/index.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import type { OrmOption } from '../scope/live-orms.js';
import { publicScope, scopeOf, type IdentifiedTenant } from '../scope/make-scope.js';
import { innermostScope, type Scope } from '../scope/scope.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { Tenancy } from '../tenancy.js';

/**
 * Runs `fn` in the scope of one tenant, given as its row or its schema name: tenant entities are that tenant's, the global
 * `orm.em` is a fork for it, and `fn` gets that fork. In a transaction of the surrounding flow the work joins it.
 *
 * A row is found by its key, whenever it was loaded: where the tenant has another name by now, `fn` runs under that, and gets the row as
 * it is. The scope is that tenant's for as long as it lives: once the tenant is renamed or dropped, its work fails with `TENANT_CHANGED`.
 *
 * The row of a public tenant gives the public scope.
 *
 * @throws UnknownTenantError `TENANT_UNKNOWN` before `fn` runs, for a schema name that no tenant has, and for a row that is no tenant.
 */
export async function runInTenant<Result, Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(
  tenant: Tenant | string,
  fn: (em: TenantEntityManager, tenant: Tenant) => Result | Promise<Result>,
  options?: OrmOption,
): Promise<Result> {
  const tenancy = Tenancy.select(options);
  const found = await findOrFail<Tenant>(tenancy, tenant);

  return tenancy.enter<Promise<Result>>(scopeOf(tenancy.rules, found), async em => fn(em, found.row));
}

/** Runs `fn` in the public scope, also from inside a tenant's: shared entities only, and the place to create, rename and delete tenants. */
export async function runInPublic<Result>(fn: (em: TenantEntityManager) => Result | Promise<Result>, options?: OrmOption): Promise<Result> {
  const tenancy = Tenancy.select(options);

  return tenancy.enter<Promise<Result>>(publicScope(tenancy.rules), async em => fn(em));
}

/**
 * The tenant this flow works for, as it was when the scope was entered; undefined in the public scope and outside any.
 * It belongs to no EntityManager of the scope, and of a request it is a copy that is its own: to change the row, load it in the scope.
 */
export function currentTenant<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(options?: OrmOption): Tenant | undefined {
  const scope = scopeFor(options);

  return scope?.kind === 'tenant' ? (scope.tenant as Tenant) : undefined;
}

/**
 * The tenant this flow works for.
 *
 * @throws TenantContextRequiredError in the public scope and outside any.
 */
export function requireTenant<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(options?: OrmOption): Tenant {
  const tenant = currentTenant<Tenant>(options);

  if (tenant === undefined) {
    throw TenantContextRequiredError.noTenant(scopeFor(options)?.kind);
  }

  return tenant;
}

/** The schema of the current scope: the tenant's, or the public one in the public scope; undefined outside any. */
export function currentSchema(options?: OrmOption): string | undefined {
  const scope = scopeFor(options);

  return scope?.kind === 'tenant' ? scope.schemaName : scope && TenantRules.of(scope.config as never).publicSchema;
}

function scopeFor(options: OrmOption | undefined): Scope | undefined {
  return options?.orm === undefined ? innermostScope() : Tenancy.select(options).rules.scope;
}

async function findOrFail<Tenant extends TenantMixin<unknown>>(
  { rules, database }: Tenancy,
  tenant: Tenant | string,
): Promise<IdentifiedTenant<Tenant>> {
  const schemaName = typeof tenant === 'string' ? tenant : tenant.schemaName;
  const isRow = typeof tenant !== 'string' && (helper(tenant).getPrimaryKey() as unknown) != null;

  if (typeof tenant !== 'string' && rules.isPublicTenant(tenant)) {
    return { row: tenant, identity: undefined };
  }

  if (typeof tenant !== 'string') {
    rules.checkSchemaName(schemaName);
  }

  // one that was never stored may have no key
  const row = isRow ? tenant : await findByName<Tenant>(database, schemaName);
  const found = row && (await database.tenants.identify([row]))[0];

  if (found === undefined) {
    throw new UnknownTenantError([schemaName]);
  }

  return found;
}

async function findByName<Tenant>(database: TenantDatabase, schemaName: string): Promise<Tenant | undefined> {
  // PostgreSQL has no text with a null byte or half a surrogate pair in it, and would say so in words of its own
  const isText = !schemaName.includes('\0') && !/\p{Surrogate}/u.test(schemaName);

  return isText ? ((await database.tenants.findOne({ schemaName })) as Tenant | undefined) : undefined;
}
