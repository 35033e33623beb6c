/** A tenant of the model. Its label is the text of its row, and never changes. */
export interface TenantState {
  readonly label: string;
  name: string;
  isAlive: boolean;
  /** The names that it has had. */
  readonly names: Set<string>;
}

/** The tenants by the place that each has for good, whatever becomes of its name; a tenant that is dropped has a successor there. */
export type Tenants = TenantState[];

export function tenantsOf(labels: readonly string[]): Tenants {
  return labels.map(label => newTenant(label));
}

export function newTenant(label: string, name = label): TenantState {
  return { label, name, isAlive: true, names: new Set([name]) };
}

/** A tenant under the name that it had when a scope was entered. */
export interface Entered {
  readonly tenant: TenantState;
  readonly name: string;
}

export function enteredNow(tenant: TenantState): Entered {
  return { tenant, name: tenant.name };
}

/** Whether the tenant is the one of that name still. */
export function isStill({ tenant, name }: Entered): boolean {
  return tenant.isAlive && tenant.name === name;
}

/** What becomes of tenants. */
export type Change =
  | { readonly kind: 'rename'; readonly label: string; readonly from: string; readonly to: string }
  | { readonly kind: 're-create'; readonly label: string; readonly name: string; readonly newLabel: string }
  | { readonly kind: 'swap'; readonly labels: readonly [string, string]; readonly names: readonly [string, string] };
