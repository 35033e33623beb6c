import { StatusError } from './status-error.js';
import { TenantError, show } from './tenant-error.js';
import { HttpTenantError } from './web-errors.js';

/** Another tenant has this host, as its `domainUrl` or as one of its domains. */
export class HostTakenError extends StatusError {
  /** Undefined if PostgreSQL does not say which of the hosts it is. */
  readonly host: string | undefined;

  readonly status = 409;
  readonly expose = false;

  constructor(host: string | undefined, options?: ErrorOptions) {
    super(
      'HOST_TAKEN',
      `${host === undefined ? 'A host' : `The host ${show(host)}`} belongs to another tenant or is stored already, and a host leads to one tenant only. Nothing was stored. ` +
        'Choose another host, or remove it from the tenant that has it.',
      options,
    );
    this.host = host;
  }
}

/** Hosts were written in a transaction that does not see what others have stored meanwhile. */
export class HostIsolationError extends TenantError {
  constructor(options?: ErrorOptions) {
    super(
      'HOST_ISOLATION',
      'The transaction has the isolation level repeatable read or serializable. It does not see the hosts that others have stored meanwhile, so one host could get two tenants. ' +
        'Nothing was stored. Write hosts in a transaction of the default level, read committed.',
      options,
    );
  }
}

/** Two transactions that write hosts or lock tenants have waited for each other. */
export class HostConflictError extends TenantError {
  constructor(options?: ErrorOptions) {
    super(
      'HOST_CONFLICT',
      'This transaction and another one that writes hosts, or has locked a tenant, have waited for each other, so PostgreSQL has ended this one. Nothing was stored. ' +
        'Run the whole transaction again. To avoid it, lock tenants before you write the first of their domains.',
      options,
    );
  }
}

/** The request is answered with a redirect to the tenant's primary domain: status 308, with `Location`. */
export class RedirectToPrimaryError extends HttpTenantError {
  constructor(location: string) {
    // a browser keeps a 308 for good otherwise, and two hosts would refer to each other once the primary domain has changed
    super('HOST_NOT_PRIMARY', 308, 'This site has another address.', { headers: { Location: location, 'Cache-Control': 'no-store' } });
    this.stack = `${this.name}: ${this.message}`;
  }
}
