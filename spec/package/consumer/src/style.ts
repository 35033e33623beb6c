import type { TenantMixin } from '@landlord/mikro-orm';
import type { EntityClass } from '@mikro-orm/core';

/** One way to declare entities: the same four classes of tenants, one shared entity and one tenant entity. */
export interface Style {
  readonly Plan: EntityClass<{ id: number; title: string }>;
  readonly Book: EntityClass<{ id: number; title: string }>;
  readonly tenants: Readonly<Record<Case, TenantOfStyle>>;
}

/** Tenants with each kind of primary key, and one with the default key whose initial values are passed and changed. */
export type Case = 'integer' | 'changed' | 'uuid' | 'string' | 'named';

export interface TenantOfStyle {
  readonly entity: EntityClass<TenantMixin<unknown>>;
  make(place: Place): TenantMixin<unknown>;
}

/** Where a tenant is. */
export interface Place {
  readonly domainUrl: string;
  readonly schemaName: string;
}

export const UUID = '0d9e1f5e-4f6c-4a53-9d5b-2f8b4f3f4c11';
