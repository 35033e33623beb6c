import type { Configuration } from '@mikro-orm/core';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { innermostScope, type Scope, type TenantScope } from './scope.js';
import type { TenantIdentity } from './tenant-identity.js';
import type { TenantRules } from './tenant-rules.js';

/** The scope for a tenant whose row was just looked up. */
export function scopeOf(rules: ScopeRules, { row, identity }: IdentifiedTenant): Scope {
  return rules.isPublicTenant(row) ? publicScope(rules) : { ...tenantScope(rules, row.schemaName, row), identity };
}

/** The scope for a schema name whose tenant is locked as long as the scope lives. `tenant` is its row, or the data that is known. */
export function tenantScope(rules: ScopeRules, schemaName: string, tenant: unknown = { schemaName }): TenantScope {
  const checked = rules.checkSchemaName(schemaName);

  return { kind: 'tenant', config: rules.config, outer: innermostScope(), tenant, schemaName: checked, identity: undefined, em: undefined };
}

/** The scope for a tenant from the directory. Its entity is created when it is first read. */
export function heldScopeOf(rules: ScopeRules, held: HeldTenant): Scope {
  return rules.isPublicTenant(held) ? publicScope(rules) : new HeldScope(rules, held);
}

export function publicScope({ config }: Pick<ScopeRules, 'config'>): Scope {
  return { kind: 'public', config, outer: innermostScope(), em: undefined };
}

class HeldScope implements TenantScope<TenantMixin<unknown>> {
  readonly kind = 'tenant';
  readonly config: Configuration;
  readonly outer: Scope | undefined;
  readonly schemaName: string;
  readonly identity: TenantIdentity | undefined;
  em: object | undefined;
  readonly #held: HeldTenant;
  #tenant: TenantMixin<unknown> | undefined;

  constructor(rules: ScopeRules, held: HeldTenant) {
    this.config = rules.config;
    this.outer = innermostScope();
    this.schemaName = rules.checkSchemaName(held.schemaName);
    this.identity = held.identity;
    this.em = undefined;
    this.#held = held;
  }

  get tenant(): TenantMixin<unknown> {
    return (this.#tenant ??= this.#held.copy());
  }
}

/** A tenant's row, and which tenant it is. */
export interface IdentifiedTenant<Tenant = TenantMixin<unknown>> {
  readonly row: Tenant;
  readonly identity: TenantIdentity | undefined;
}

interface HeldTenant {
  readonly schemaName: string;
  readonly identity: TenantIdentity | undefined;
  copy(): TenantMixin<unknown>;
}

type ScopeRules = Pick<TenantRules, 'config' | 'checkSchemaName' | 'isPublicTenant'>;
