import type { Moment } from '../../scope/tenant-identities.js';
import type { TenantIdentity } from '../../scope/tenant-identity.js';
import type { HeldTenant } from './schema-check-sql.js';
import { schemasGranted, type Control } from '../statements/statement-kinds.js';
import type { TenantCheck } from './tenant-check.js';

/** The tenants that the statements of one transaction were for, but for what was rolled back. */
export class TransactionTenants {
  readonly #steps: Step[] = [];
  readonly #savepoints = new Map<string, number>();
  /** By the schema; the name may be given to another one in the transaction itself. */
  readonly #tenants = new Map<string, AddedTenant>();
  #mayHaveChangedMarks = false;
  /** Its statements that change rows of schemas. */
  readonly granting: string[] = [];

  /** What it is held to at its end. */
  heldBy(check: Pick<TenantCheck, 'markSince'>): readonly HeldTenant[] {
    return [...this.#tenants.values()].map(({ identity, since }) => ({
      identity,
      mark: this.#mayHaveChangedMarks ? undefined : check.markSince(identity, since),
    }));
  }

  /** To be told of a statement that may change the row of a schema: none can be known by its mark then. */
  noteChangedMarks(sql: string): void {
    this.#mayHaveChangedMarks = true;

    if (schemasGranted(sql).length > 0) {
      this.granting.push(sql);
    }
  }

  get isEmpty(): boolean {
    return this.#tenants.size === 0;
  }

  /** `since` is when it was last known that the tenant has its name. */
  add(identity: TenantIdentity, since: Moment | undefined): void {
    // one that had no schema has nothing to be held to
    if (identity.schemaOid !== undefined && !this.#tenants.has(identity.schemaOid)) {
      this.#do({ schemaOid: identity.schemaOid, tenant: { identity, since } });
    }
  }

  /** Takes out those of a name, which the transaction itself is about to give up. */
  take(schemaName: string): readonly TenantIdentity[] {
    const taken = [...this.#tenants.values()].flatMap(({ identity }) => (identity.schemaName === schemaName ? [identity] : []));
    taken.forEach(({ schemaOid }) => this.#do({ schemaOid, tenant: undefined }));

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

    if (step.tenant === undefined) {
      this.#tenants.delete(String(step.schemaOid));
    } else {
      this.#tenants.set(String(step.schemaOid), step.tenant);
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
  readonly tenant: AddedTenant | undefined;
}

/** A tenant of a transaction, and when it was last known, before the first of its statements, that it has its name. */
interface AddedTenant {
  readonly identity: TenantIdentity;
  readonly since: Moment | undefined;
}
