import { StatusError } from './status-error.js';
import { TenantError, show, type TenantErrorCode } from './tenant-error.js';

/** A schema name that a tenant must not have. Visitors choose names, so this error and the next ones have a `status` for a web framework. */
export class InvalidSchemaNameError extends StatusError {
  readonly schemaName: unknown;

  readonly status = 400;
  readonly expose = false;

  constructor(schemaName: unknown, rule: string, code: TenantErrorCode = 'SCHEMA_NAME_INVALID') {
    super(
      code,
      `${show(schemaName)} cannot be a tenant's schema name: ${rule}. ` +
        'Use at most 63 lower-case ASCII letters, digits and `_`, and do not start with a digit. Example: "acme_ltd".',
    );
    this.schemaName = schemaName;
  }
}

/** A `domainUrl` that a tenant must not have, or a `domain`. */
export class InvalidDomainError extends StatusError {
  readonly domainUrl: unknown;

  readonly status = 400;
  readonly expose = false;

  constructor(domainUrl: unknown, property: 'domainUrl' | 'domain' = 'domainUrl', options?: ErrorOptions) {
    super(
      'DOMAIN_INVALID',
      `${show(domainUrl)} is not a valid host name. Set \`${property}\` to a host name without scheme, port, path and spaces. Example: "acme.example.com".`,
      options,
    );
    this.domainUrl = domainUrl;
  }
}

/** A `domainUrl` that serves the public routes. */
export class ReservedDomainError extends StatusError {
  readonly domainUrl: string;

  readonly status = 400;
  readonly expose = false;

  constructor(domainUrl: string) {
    super(
      'DOMAIN_RESERVED',
      `${show(domainUrl)} is listed in \`publicHosts\`. It serves the public routes, so it would never reach the tenant. Give the tenant another host, or remove the host from \`publicHosts\`.`,
    );
    this.domainUrl = domainUrl;
  }
}

/** Another tenant already has this `schemaName` or `domainUrl`. */
export class TenantExistsError extends StatusError {
  readonly property: 'schemaName' | 'domainUrl';

  readonly status = 409;
  readonly expose = false;

  constructor(property: 'schemaName' | 'domainUrl', options?: ErrorOptions) {
    super(
      'TENANT_ALREADY_EXISTS',
      `Another tenant already has this \`${property}\`, and it must be unique. Nothing was stored. Choose another value.`,
      options,
    );
    this.property = property;
  }
}

/** No tenant has this schema name. A web framework answers a request with its `status`, and does not show the message. */
export class UnknownTenantError extends StatusError {
  readonly schemaNames: readonly string[];

  readonly status = 404;
  readonly expose = false;

  /** For what is neither a row nor a schema name. */
  static notATenant(given: unknown): UnknownTenantError {
    return new UnknownTenantError(
      [],
      `${given === undefined ? 'undefined' : show(given)} is no tenant: a tenant is given as its row or as its schema name. Nothing was run. Look up the row first.`,
    );
  }

  /** For the row of a tenant in another database, whose key is another tenant's here. */
  static ofOtherDatabase(schemaName: string): UnknownTenantError {
    return new UnknownTenantError(
      [schemaName],
      `The row of tenant ${show(schemaName)} was loaded from another database, by another ORM. Here its key may be another tenant's. Nothing was done. Load the row by the ORM that works with it, or pass the schema name.`,
    );
  }

  constructor(
    schemaNames: readonly string[],
    message = `No tenant has the schema name ${schemaNames.map(show).join(', ')}. Nothing was run. See which there are with \`tenants().list()\` or \`mikro-orm tenant:list\`.`,
  ) {
    super('TENANT_UNKNOWN', message);
    this.schemaNames = schemaNames;
  }
}

/** Data for a tenant that has a setting in it. */
export class TenantSettingError extends StatusError {
  readonly setting: string;

  readonly status = 400;
  readonly expose = false;

  constructor(setting: string) {
    super(
      'TENANT_SETTING_REFUSED',
      `The data for a tenant has \`${setting}\`, which is a setting: data often comes from a request, and a visitor must not decide on schemas. ` +
        `Nothing was stored. Take it out of the data, and set it on the tenant itself (\`tenant.${setting} = …\`), on its class or in the options.`,
    );
    this.setting = setting;
  }
}

/** A write to the tenant entity that could leave rows without schemas, or schemas without rows. */
export class TenantWriteRefusedError extends TenantError {
  static withoutTransaction(action: string): TenantWriteRefusedError {
    return new TenantWriteRefusedError(
      'flush()',
      '`em.transactional(…)`, or turn `implicitTransactions` on. Either needs `disableTransactions` off',
      `would have ${action} a tenant outside a transaction. A failure could then leave a row without its schema, or a schema without its row`,
    );
  }

  constructor(
    method: string,
    instead: string,
    fact = 'writes tenants without the unit of work. Their schemas would not be created, renamed or dropped with the rows',
  ) {
    super('TENANT_WRITE_REFUSED', `\`${method}\` ${fact}. Nothing was stored. Use ${instead}.`);
  }
}

/** The change of a tenant and another one have waited for each other. */
export class TenantConflictError extends TenantError {
  constructor(options?: ErrorOptions) {
    super(
      'TENANT_CONFLICT',
      'The change of a tenant and another transaction have waited for each other, so PostgreSQL has ended this one. Nothing was stored. Run the whole transaction again.',
      options,
    );
  }
}
