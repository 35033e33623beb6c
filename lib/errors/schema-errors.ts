import { hintOf } from './hint-of.js';
import { StatusError } from './status-error.js';
import { TenantError, reasonOf, show } from './tenant-error.js';

/** The tenant's schema already exists. It was left unchanged. */
export class SchemaExistsError extends StatusError {
  readonly schemaName: string;

  readonly status = 409;
  readonly expose = false;

  constructor(schemaName: string, options?: ErrorOptions) {
    super(
      'SCHEMA_ALREADY_EXISTS',
      `Schema ${show(schemaName)} already exists. An existing schema is never taken over, because it may hold other data. ` +
        'It was left unchanged, and nothing was stored. Choose another `schemaName`, or drop or rename the schema first. Then try again in a new fork of the `em`. ' +
        'To give the tenant this very schema, call `tenants().create(data, { adoptSchema: true })`.',
      options,
    );
    this.schemaName = schemaName;
  }
}

/** The tenant's schema does not exist. */
export class SchemaMissingError extends TenantError {
  readonly schemaName: string;

  static ofTenant(schemaName: string): SchemaMissingError {
    return new SchemaMissingError(
      schemaName,
      `Tenant ${show(schemaName)} has no schema in the database. Create it with \`tenants().provision(…)\` or \`mikro-orm tenant:provision\`, or delete the tenant's row.`,
    );
  }

  /** For a schema that was to become a tenant's. */
  static toAdopt(schemaName: string): SchemaMissingError {
    return new SchemaMissingError(
      schemaName,
      `There is no schema ${show(schemaName)} to adopt. Nothing was stored. Check the name, or create a tenant with \`tenants().create(…)\` or \`mikro-orm tenant:create\`.`,
    );
  }

  constructor(schemaName: string, message: string) {
    super('SCHEMA_MISSING', message);
    this.schemaName = schemaName;
  }
}

/** The library refused to drop, rename or migrate a schema that it did not create. */
export class SchemaProtectedError extends TenantError {
  readonly schemaName: string;

  constructor(schemaName: string, action: SchemaAction, reason: string, { remedy }: { readonly remedy?: string } = {}) {
    super(
      'SCHEMA_PROTECTED',
      `Refused to ${action} schema ${show(schemaName)}: ${reason}. Nothing was changed.${remedy === undefined ? '' : ` ${remedy}`}`,
    );
    this.schemaName = schemaName;
  }
}

/** Others depend on a schema that was to be dropped, or have its name in their text where it was to be renamed. */
export class SchemaInUseError extends TenantError {
  readonly schemaName: string;
  /** Each as PostgreSQL names it, for example `view public.report`. */
  readonly dependents: readonly string[];

  constructor(schemaName: string, action: 'create' | 'delete' | 'drop' | 'rename', dependents: readonly string[]) {
    const { reason, remedy } = IN_USE[action];
    const rest = dependents.length - MAX_NAMED;
    const named = dependents.slice(0, MAX_NAMED).join(', ') + (rest > 0 ? `, and ${rest} more (\`error.dependents\` has all)` : '');
    super('SCHEMA_IN_USE', `Refused to ${action} schema ${show(schemaName)}: ${reason}: ${named}. Nothing was changed. ${remedy}`);
    this.schemaName = schemaName;
    this.dependents = dependents;
  }
}

/** Creating a tenant failed. Its row, schema, tables and history were rolled back together. */
export class ProvisioningError extends TenantError {
  readonly schemaName: string;
  readonly migration: string | undefined;

  constructor(tenant: string, schemaName: string, migration: string | undefined, cause: unknown) {
    super(
      'TENANT_NOT_PROVISIONED',
      `Tenant ${tenant} was not created: ${migration === undefined ? `schema ${show(schemaName)} could not be created` : `migration ${show(migration)} failed in schema ${show(schemaName)}`}: ${reasonOf(cause)}. ` +
        `Its row, schema, tables and history were rolled back. ${hintOf(cause)}` +
        'Fix the cause. Then create the tenant again in a new fork: this `em` treats it as stored.',
      { cause },
    );
    this.schemaName = schemaName;
    this.migration = migration;
  }
}

const IN_USE = {
  create: {
    reason: 'the `search_path` of others has the name already, maybe of a schema that had it before, and they would find the new schema',
    remedy: 'Change that first, or choose another name.',
  },
  drop: {
    reason: 'what is outside of it depends on it and would be dropped too',
    remedy: 'Drop or change that first. To drop it along with the schema, call `tenants().drop(tenant, { cascade: true })`.',
  },
  delete: {
    reason: 'functions, triggers or settings have its name as text, and would find the next tenant of that name',
    remedy: 'Change that first. To delete the tenant all the same, call `tenants().drop(tenant, { soft: true, force: true })`.',
  },
  rename: {
    reason: 'functions, triggers or settings have its name as text, and would go on looking for that name',
    remedy: 'Change that first. To rename the schema all the same, call `tenants().rename(tenant, schemaName, { force: true })`.',
  },
} as const;

const MAX_NAMED = 10;

type SchemaAction = 'drop' | 'rename' | 'migrate' | 'adopt' | 'delete' | 'clone' | 'export';
