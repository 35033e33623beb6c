import { defineEntity, p, type Opt } from '@mikro-orm/core';
import { watchTrial } from './class-fields.js';
import { assignConstructorData } from './constructor-data.js';
import type { TenantMixin } from './tenant-mixin.js';

/**
 * The abstract base class of the entity with the further hosts of tenants: `class Domain extends DomainMixin<Client>`. Name it in the options,
 * `withTenants(config, { tenant: Client, domains: Domain })`. It lives in the public schema.
 *
 * Without a key of its own, the subclass gets `id`, an auto-incremented integer. The relation `tenant` is added too, unless the subclass
 * declares it. A tenant's domains are deleted with it.
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging, no-unused-vars -- the interface below declares the properties and uses `Id`
export abstract class DomainMixin<Tenant extends TenantMixin<any> = TenantMixin<any>, Id = number> {
  /** Takes the property values of the new domain, including those of the subclass. They override the initial values of class fields. */
  constructor(data?: DomainData<Tenant>) {
    const trial = watchTrial(new.target, this, arguments);

    if (trial !== undefined) {
      return trial;
    }

    if (data !== undefined) {
      return assignConstructorData(this, data, { TenantClass: new.target, root: DomainMixin });
    }
  }
}

// not in the class, as in TenantMixin
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the class sets no fields
export interface DomainMixin<Tenant extends TenantMixin<any> = TenantMixin<any>, Id = number> {
  id: Id;

  /** A host of the tenant: a host name only, for example `shop.example.com`. No other tenant has it. Stored in lower-case ASCII form. */
  domain: string;

  /**
   * Whether this is the host that the tenant is known by. Each tenant that has domains has exactly one. The database sees to that: what it
   * changes in other rows is not seen by entities that are loaded already.
   */
  isPrimary: Opt<boolean>;

  tenant: Tenant;
}

/** The data that the constructor of a domain takes. */
export interface DomainData<Tenant extends TenantMixin<any> = TenantMixin<any>> {
  readonly domain: string;
  readonly tenant: Tenant;
  /** @default whether the tenant has no domain yet */
  readonly isPrimary?: boolean;
  readonly [property: string]: unknown;
}

const DomainMixinSchema = defineEntity({
  name: 'DomainMixin',
  abstract: true,
  properties: {
    domain: p.string().unique(),
    // null for as long as the statement that makes the row primary has not ended: see domain-triggers.ts
    // a default of the database: what it makes of it is then read back
    isPrimary: p.boolean().defaultRaw('false').nullable(),
  },
});

DomainMixinSchema.setClass(DomainMixin);
