import { TenantError, show, type TenantErrorCode } from './tenant-error.js';

/** A schema name that no tenant may have. */
export class InvalidSchemaNameError extends TenantError {
  readonly schemaName: unknown;

  constructor(schemaName: unknown, rule: string, code: TenantErrorCode = 'SCHEMA_NAME_INVALID') {
    super(
      code,
      `${show(schemaName)} cannot be a tenant's schema name: ${rule}. ` +
        'Use lower-case ASCII letters, digits and `_`, not starting with a digit, at most 63 bytes, for example "acme_ltd".',
    );
    this.schemaName = schemaName;
  }
}

/** A `domainUrl` that no tenant may have. */
export class InvalidDomainError extends TenantError {
  readonly domainUrl: unknown;

  constructor(domainUrl: unknown) {
    super(
      'DOMAIN_INVALID',
      `${show(domainUrl)} is no host name. \`domainUrl\` takes a host name alone, without scheme, port, path or spaces, for example "acme.example.com".`,
    );
    this.domainUrl = domainUrl;
  }
}

/** A `domainUrl` that already serves the public routes. */
export class ReservedDomainError extends TenantError {
  readonly domainUrl: string;

  constructor(domainUrl: string) {
    super(
      'DOMAIN_RESERVED',
      `${show(domainUrl)} is one of \`publicHosts\`, so it serves the public routes and never reaches a tenant. Give the tenant another host, or take it off the list.`,
    );
    this.domainUrl = domainUrl;
  }
}

/** Another tenant has that `schemaName` or `domainUrl`. */
export class TenantExistsError extends TenantError {
  readonly property: 'schemaName' | 'domainUrl';

  constructor(property: 'schemaName' | 'domainUrl', options?: ErrorOptions) {
    super(
      'TENANT_ALREADY_EXISTS',
      `Another tenant has this \`${property}\`, which is unique. Nothing was stored. Choose another one.`,
      options,
    );
    this.property = property;
  }
}

/** No tenant has that schema name. */
export class UnknownTenantError extends TenantError {
  readonly schemaNames: readonly string[];

  constructor(schemaNames: readonly string[]) {
    super(
      'TENANT_UNKNOWN',
      `No tenant has the schema name ${schemaNames.map(show).join(', ')}. Nothing was run. \`tenants().list()\` gives those there are.`,
    );
    this.schemaNames = schemaNames;
  }
}

/** A way of writing tenants that would leave rows without schemas, or schemas without rows. */
export class TenantWriteRefusedError extends TenantError {
  static withoutTransaction(action: string): TenantWriteRefusedError {
    return new TenantWriteRefusedError(
      'flush()',
      '`em.transactional(…)`, or leave `implicitTransactions` on; either needs `disableTransactions` off',
      `was to have a tenant ${action} outside a transaction, so a failure would part the row from its schema`,
    );
  }

  constructor(
    method: string,
    instead: string,
    fact = 'writes tenants without the unit of work, so no schema would be created, renamed or dropped with the row',
  ) {
    super('TENANT_WRITE_REFUSED', `\`${method}\` ${fact}. Nothing was stored. Use ${instead}.`);
  }
}
