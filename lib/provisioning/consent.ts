import type { Transaction } from '@mikro-orm/core';
import type { CreateHookEvent } from '../tenant/hook-options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';

/** What the caller of the service has said about one tenant, for the subscriber that acts on its row. No data can hold it. */
export interface Consent {
  /** The schema that is there is meant. */
  readonly adoptSchema?: boolean | undefined;
  /** Has the schema that is there marked as the library's own, if it may be. It has its lock after the row has its own, as with all that changes a tenant. */
  readonly take?: ((ctx: Transaction) => Promise<void>) | undefined;
  /** The schema is known to be there and to be the library's own. It is not looked at. */
  readonly hasSchema?: boolean | undefined;
  /** What has the name of the schema in its text may be left with it. */
  readonly force?: boolean | undefined;
  /** What creates the tenant, as hooks are told. */
  readonly created?: Created | undefined;
  /** What makes the tables of the new schema, in the place of the tenant set. */
  readonly fill?: SchemaFiller | undefined;
}

/** How a tenant comes to be, for hooks. */
export type Created = Pick<CreateHookEvent, 'by' | 'from'>;

/** Makes what is in a new schema, and writes its history. */
export type SchemaFiller = (schemaName: string, ctx: Transaction) => Promise<void>;

/** Notes what the caller has said. */
export function giveConsent(tenant: TenantMixin<unknown>, consent: Consent): void {
  CONSENTS.set(tenant, consent);
}

export function consentFor(tenant: TenantMixin<unknown>): Consent {
  return CONSENTS.get(tenant) ?? {};
}

const CONSENTS = new WeakMap<object, Consent>();
