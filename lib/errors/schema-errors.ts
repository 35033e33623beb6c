import { TenantError, reasonOf, show } from './tenant-error.js';

/** The tenant's schema exists already. It was left as it was. */
export class SchemaExistsError extends TenantError {
  readonly schemaName: string;

  constructor(schemaName: string, options?: ErrorOptions) {
    super(
      'SCHEMA_ALREADY_EXISTS',
      `Schema ${show(schemaName)} exists already, and a schema is never adopted silently: it could hold somebody else's data. ` +
        'It was left as it was, and nothing was stored. Choose another `schemaName`, or drop or rename that schema first, and start anew in another fork of the `em`.',
      options,
    );
    this.schemaName = schemaName;
  }
}

/** There is no such schema. */
export class SchemaMissingError extends TenantError {
  readonly schemaName: string;

  constructor(schemaName: string, options?: ErrorOptions) {
    super(
      'SCHEMA_MISSING',
      `Tenant ${show(schemaName)} has no schema in the database. Create it with \`tenants().provision(…)\`, or delete the tenant's row.`,
      options,
    );
    this.schemaName = schemaName;
  }
}

/** A schema that is not the library's to drop, rename or migrate. */
export class SchemaProtectedError extends TenantError {
  readonly schemaName: string;

  constructor(schemaName: string, action: SchemaAction, reason: string) {
    super('SCHEMA_PROTECTED', `Refused to ${action} schema ${show(schemaName)}: ${reason}. Nothing was changed.`);
    this.schemaName = schemaName;
  }
}

/** Creating a tenant failed; row, schema, tables and history were rolled back together. */
export class ProvisioningError extends TenantError {
  readonly schemaName: string;
  readonly migration: string | undefined;

  constructor(tenant: string, schemaName: string, migration: string | undefined, cause: unknown) {
    super(
      'TENANT_NOT_PROVISIONED',
      `Tenant ${tenant} was not created: ${migration === undefined ? 'its schema' : `migration ${show(migration)}`} failed in schema ${show(schemaName)}: ${reasonOf(cause)}. ` +
        'Row, schema, tables and history were rolled back. Mend what the cause names and create the tenant anew in another fork, as this `em` takes it for stored.',
      { cause },
    );
    this.schemaName = schemaName;
    this.migration = migration;
  }
}

type SchemaAction = 'drop' | 'rename' | 'migrate';
