import type { HeldRow } from '../../directory/held-tenant.js';
import type { HttpTenantError, RedirectToPrimaryError } from '../../errors/index.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import type { Tenancy } from '../../tenancy.js';
import { keepPrimaryHost } from './primary-host.js';

/** Who is meant by a request. */
export type Identification = IdentifiedAsTenant | IdentifiedAsPublic | NotServed | Redirected;

/** The request is one tenant's. */
export interface IdentifiedAsTenant {
  readonly kind: 'tenant';
  readonly schemaName: string;
  /** The tenant's row, not managed by an EntityManager. It is created when it is first read. `currentTenant()` returns it in `runAs()`. */
  readonly tenant: TenantMixin<unknown>;
  /** The beginning of the path that named the tenant, if `byPath()` has found it. */
  readonly mountPath: string | undefined;
}

/** The request is one for the public scope. */
export interface IdentifiedAsPublic {
  readonly kind: 'public';
  readonly mountPath: string | undefined;
}

/**
 * Nothing is served. `unknown`: there is no such tenant, or it is not shown that there is one. `refused`: the request itself is the reason.
 * `unavailable`: it may be served later.
 */
export interface NotServed {
  readonly kind: 'unknown' | 'refused' | 'unavailable';
  /** What the visitor is told: `status`, `message` and the response's `headers`. It has a `code`. */
  readonly error: HttpTenantError;
}

/** The visitor is sent to the tenant's primary domain: `redirectToPrimary` is set. */
export interface Redirected {
  readonly kind: 'redirected';
  /** The answer: `status` 308, and `headers` with the `Location`. */
  readonly error: RedirectToPrimaryError;
}

/** A tenant from the directory. It is what a scope is made of. */
export class TenantIdentification implements IdentifiedAsTenant {
  readonly kind = 'tenant';
  readonly mountPath: string | undefined;
  /** @internal */
  readonly tenancy: Tenancy;
  readonly #held: HeldRow;
  #tenant: TenantMixin<unknown> | undefined;

  constructor(tenancy: Tenancy, held: HeldRow, mountPath: string | undefined) {
    this.tenancy = tenancy;
    this.#held = held;
    this.mountPath = mountPath;
  }

  get schemaName(): string {
    return this.#held.schemaName;
  }

  get tenant(): TenantMixin<unknown> {
    if (this.#tenant === undefined) {
      this.#tenant = this.#held.copy();
      keepPrimaryHost(this.#tenant, this.#held.primaryHost);
    }

    return this.#tenant;
  }

  /** @internal */
  get identity(): HeldRow['identity'] {
    return this.#held.identity;
  }

  /** @internal */
  copy(): TenantMixin<unknown> {
    return this.tenant;
  }
}

/** The public scope of an ORM. */
export class PublicIdentification implements IdentifiedAsPublic {
  readonly kind = 'public';
  readonly mountPath: string | undefined;
  /** @internal */
  readonly tenancy: Tenancy;

  constructor(tenancy: Tenancy, mountPath?: string) {
    this.tenancy = tenancy;
    this.mountPath = mountPath;
  }
}
