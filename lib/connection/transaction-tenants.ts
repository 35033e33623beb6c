import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { Control } from './statement-kinds.js';

/** The tenants that the statements of one transaction were for, but for what was rolled back. */
export class TransactionTenants {
  readonly #steps: Step[] = [];
  readonly #savepoints = new Map<string, number>();
  /** By the schema; the name may be given to another one in the transaction itself. */
  readonly #tenants = new Map<string, TenantIdentity>();

  get all(): readonly TenantIdentity[] {
    return [...this.#tenants.values()];
  }

  get isEmpty(): boolean {
    return this.#tenants.size === 0;
  }

  add(identity: TenantIdentity): void {
    // one that had no schema has nothing to be held to
    if (identity.schemaOid !== undefined && !this.#tenants.has(identity.schemaOid)) {
      this.#do({ schemaOid: identity.schemaOid, identity });
    }
  }

  /** Takes out those of a name, which the transaction itself is about to give up. */
  take(schemaName: string): readonly TenantIdentity[] {
    const taken = this.all.filter(identity => identity.schemaName === schemaName);
    taken.forEach(({ schemaOid }) => this.#do({ schemaOid, identity: undefined }));

    return taken;
  }

  savepoint(name: string): void {
    this.#savepoints.set(name, this.#steps.length);
  }

  rollbackTo(name: string): void {
    const steps = this.#steps.splice(0).slice(0, this.#savepoints.get(name));
    this.#tenants.clear();
    steps.forEach(step => this.#do(step));
  }

  #do(step: Step): void {
    this.#steps.push(step);

    if (step.identity === undefined) {
      this.#tenants.delete(String(step.schemaOid));
    } else {
      this.#tenants.set(String(step.schemaOid), step.identity);
    }
  }
}

/** The tenants of the transaction on a connection after SQL that has begun or ended one, and the same for savepoints. */
export function tenantsAfter(control: Control, before: TransactionTenants | undefined): TransactionTenants | undefined {
  switch (control.kind) {
    case 'begin':
      return before ?? new TransactionTenants();
    case 'commit':
    case 'rollback':
      return undefined;
    case 'commit and chain':
    case 'rollback and chain':
      return new TransactionTenants();
    case 'savepoint':
      before?.savepoint(control.name);
      break;
    case 'rollback to':
      before?.rollbackTo(control.name);
      break;
    case 'other':
  }

  return before;
}

interface Step {
  readonly schemaOid: string | undefined;
  /** Undefined where it was taken out. */
  readonly identity: TenantIdentity | undefined;
}
