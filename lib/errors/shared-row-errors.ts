import { TenantError, show } from './tenant-error.js';

/** A shared row was to be deleted, or given another key, to which a tenant's rows refer. */
export class SharedRowInUseError extends TenantError {
  /** The schema of the tenant whose rows refer to it: the first that the database met. */
  readonly schemaName: string;
  readonly table: string;
  readonly constraint: string;

  constructor(entity: string, { schema, table, constraint }: Reference, options?: ErrorOptions) {
    super(
      'SHARED_ROW_IN_USE',
      `A row of the shared entity ${entity} is in use: rows of ${show(table)} in tenant schema ${show(schema)} refer to it by the constraint ${show(constraint)}, ` +
        'and other tenants may as well. Nothing was stored. Change or delete the rows that refer to it first, in `forEachTenant(…)`, or give the foreign key a `deleteRule`.',
      options,
    );
    this.schemaName = schema;
    this.table = table;
    this.constraint = constraint;
  }
}

/** A shared table was to be truncated to which tenants' tables refer. */
export class SharedTableInUseError extends TenantError {
  /** The tenant entities that refer to it. */
  readonly entities: readonly string[];

  constructor(entity: string, referring: readonly string[]) {
    super(
      'SHARED_TABLE_IN_USE',
      `${entity} is a shared entity to which tenant entities refer (${referring.join(', ')}), and PostgreSQL would truncate their tables with it, every tenant's. ` +
        'No SQL was sent. Delete the rows in its place, which is refused for those in use.',
    );
    this.entities = referring;
  }
}

interface Reference {
  readonly schema: string;
  readonly table: string;
  readonly constraint: string;
}
