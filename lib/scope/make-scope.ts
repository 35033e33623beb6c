import type { Configuration } from '@mikro-orm/core';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { innermostScope, type Scope, type TenantScope } from './scope.js';
import type { TenantRules } from './tenant-rules.js';

/** The scope for a tenant's row. */
export function scopeOf(rules: ScopeRules, tenant: TenantMixin<unknown>): Scope {
  return rules.isPublicTenant(tenant) ? publicScope(rules) : tenantScope(rules, tenant.schemaName, tenant);
}

/** The scope for a schema name. `tenant` is its row, or the data that is known. */
export function tenantScope(rules: ScopeRules, schemaName: string, tenant: unknown = { schemaName }): TenantScope {
  return { kind: 'tenant', config: rules.config, outer: innermostScope(), tenant, schemaName: rules.checkSchemaName(schemaName) };
}

/** The scope for a tenant from the directory. Its entity is created when it is first read. */
export function heldScopeOf(rules: ScopeRules, held: HeldTenant): Scope {
  return rules.isPublicTenant(held) ? publicScope(rules) : new HeldScope(rules, held);
}

export function publicScope({ config }: Pick<ScopeRules, 'config'>): Scope {
  return { kind: 'public', config, outer: innermostScope() };
}

class HeldScope implements TenantScope<TenantMixin<unknown>> {
  readonly kind = 'tenant';
  readonly config: Configuration;
  readonly outer: Scope | undefined;
  readonly schemaName: string;
  readonly #held: HeldTenant;
  #tenant: TenantMixin<unknown> | undefined;

  constructor(rules: ScopeRules, held: HeldTenant) {
    this.config = rules.config;
    this.outer = innermostScope();
    this.schemaName = rules.checkSchemaName(held.schemaName);
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

type ScopeRules = Pick<TenantRules, 'config' | 'checkSchemaName' | 'isPublicTenant'>;
