import { TenantContextRequiredError, UnknownTenantError } from '../errors/index.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { resolveHost, type OrmOption, type ScopeHost } from '../scope/live-orms.js';
import { currentScope, innermostScope, type Scope, type TenantScope } from '../scope/scope.js';

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
  const host = resolveHost(options) as ScopeHost<TenantEntityManager>;
  const row = typeof tenant === 'string' ? await findOrFail<Tenant>(host, tenant) : tenant;

  return host.enter<Promise<Result>>(scopeOf(host, row), async em => fn(em, row));
}

/**
 * Runs `fn` in the public scope, even if the caller is in a tenant's scope. Only shared entities can be used here. Tenants can be created,
 * renamed and deleted.
 */
export async function runInPublic<Result>(fn: (em: TenantEntityManager) => Result | Promise<Result>, options?: OrmOption): Promise<Result> {
  const host = resolveHost(options) as ScopeHost<TenantEntityManager>;

  return host.enter<Promise<Result>>(publicScope(host), async em => fn(em));
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

  return scope?.kind === 'tenant' ? scope.schemaName : (scope?.host as ScopeHost | undefined)?.publicSchema;
}

/** The scope for a tenant's row. */
export function scopeOf(host: ScopeHost, tenant: TenantMixin<unknown>): Scope {
  if (tenant.schemaName === host.publicSchema) {
    return publicScope(host);
  }

  return { kind: 'tenant', host, outer: innermostScope(), tenant, schemaName: host.checkSchemaName(tenant.schemaName) };
}

/** The scope for a tenant from the directory. Its entity is created when it is first read. */
export function heldScopeOf(host: ScopeHost, held: HeldTenant): Scope {
  return held.schemaName === host.publicSchema ? publicScope(host) : new HeldScope(host, held);
}

class HeldScope implements TenantScope<TenantMixin<unknown>> {
  readonly kind = 'tenant';
  readonly host: ScopeHost;
  readonly outer: Scope | undefined;
  readonly schemaName: string;
  readonly #held: HeldTenant;
  #tenant: TenantMixin<unknown> | undefined;

  constructor(host: ScopeHost, held: HeldTenant) {
    this.host = host;
    this.outer = innermostScope();
    this.schemaName = host.checkSchemaName(held.schemaName);
    this.#held = held;
  }

  get tenant(): TenantMixin<unknown> {
    return (this.#tenant ??= this.#held.copy());
  }
}

interface HeldTenant {
  readonly schemaName: string;
  copy(): TenantMixin<unknown>;
}

export function publicScope(host: ScopeHost): Scope {
  return { kind: 'public', host, outer: innermostScope() };
}

function scopeFor(options: OrmOption | undefined): Scope | undefined {
  return options?.orm === undefined ? innermostScope() : currentScope(resolveHost(options));
}

async function findOrFail<Tenant>(host: ScopeHost, schemaName: string): Promise<Tenant> {
  // PostgreSQL rejects text with a null byte or half a surrogate pair, with an error of its own
  const isText = !schemaName.includes('\0') && !/\p{Surrogate}/u.test(schemaName);
  const tenant = isText ? await host.findTenant(schemaName) : undefined;

  if (tenant === undefined) {
    throw new UnknownTenantError([schemaName]);
  }

  return tenant as Tenant;
}
