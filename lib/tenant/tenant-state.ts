import { defineEntity, p, type Opt } from '@mikro-orm/core';
import { TenantMixin } from './tenant-mixin.js';

/**
 * Whether a tenant is served. `active`: yes. `suspended`: no, and to a visitor it looks as if the tenant did not exist. `maintenance`: not now, and
 * visitors are told so.
 */
export type TenantState = (typeof TENANT_STATES)[number];

const TENANT_STATES = ['active', 'suspended', 'maintenance'] as const;

/**
 * A `TenantMixin` with a state. Extend it in place of `TenantMixin`, and migrate the public set: existing tenants are then `active`. Assign
 * `state` and flush to suspend a tenant; each process knows within a second.
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging, no-unused-vars -- as in `TenantMixin`
export abstract class TenantStateMixin<Id = number> extends TenantMixin<Id> {}

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the class sets no fields
export interface TenantStateMixin<Id = number> extends TenantMixin<Id> {
  /** Undefined on a new tenant until it is flushed: the database makes it `active`. */
  state: Opt<TenantState>;
}

/** The state of a tenant. A tenant without the property is `active`. A value that is none of the states counts as `suspended`. */
export function stateOf(tenant: object): TenantState {
  const { state } = tenant as Partial<TenantStateMixin>;

  if (!(tenant instanceof TenantStateMixin) || state === undefined || (state as unknown) === null) {
    return 'active';
  }

  return TENANT_STATES.includes(state) ? state : 'suspended';
}

const TenantStateMixinSchema = defineEntity({
  name: 'TenantStateMixin',
  abstract: true,
  extends: TenantMixin as never,
  properties: { state: p.enum([...TENANT_STATES]).default('active') },
});

TenantStateMixinSchema.setClass(TenantStateMixin);
