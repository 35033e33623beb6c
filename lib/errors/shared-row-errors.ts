import { TenantError, show } from './tenant-error.js';

/** A shared row cannot be deleted or get another key, because rows of a tenant refer to it. */
export class SharedRowInUseError extends TenantError {
  /** The schema of a tenant whose rows refer to it: the first one that PostgreSQL found. */
  readonly schemaName: string;
  readonly table: string;
  readonly constraint: string;

  constructor(entity: string, { schema, table, constraint }: Reference, options?: ErrorOptions) {
    super(
      'SHARED_ROW_IN_USE',
      `A row of the shared entity ${entity} is in use: rows of ${show(table)} in tenant schema ${show(schema)} refer to it through the constraint ${show(constraint)}. ` +
        'Rows of other tenants may refer to it too. Nothing was stored. Change or delete the referring rows first, in `forEachTenant(…)`, or give the foreign key a `deleteRule`.',
      options,
    );
    this.schemaName = schema;
    this.table = table;
    this.constraint = constraint;
  }
}

/** A shared table cannot be truncated, because tables of tenants refer to it. */
export class SharedTableInUseError extends TenantError {
  /** The tenant entities that refer to the table. */
  readonly entities: readonly string[];

  constructor(entity: string, referring: readonly string[]) {
    super(
      'SHARED_TABLE_IN_USE',
      `${entity} cannot be truncated: it is a shared entity, and tenant entities refer to it (${referring.join(', ')}). PostgreSQL would also truncate their tables, in every tenant. ` +
        'No SQL was sent. Delete the rows instead. The foreign keys then decide what happens to rows that are in use.',
    );
    this.entities = referring;
  }
}

/** Another schema than its own was named for a shared entity. */
export class SharedSchemaError extends TenantError {
  readonly schemaName: string;

  constructor(entity: string, home: string, schemaName: string) {
    super(
      'SHARED_SCHEMA',
      `${entity} is a shared entity. Its table is in the schema ${show(home)} alone, but ${show(schemaName)} was named. Nothing was read or written. ` +
        `Leave the schema out, or declare an entity with \`schema: ${show(schemaName)}\` for the table that is there.`,
    );
    this.schemaName = schemaName;
  }
}

interface Reference {
  readonly schema: string;
  readonly table: string;
  readonly constraint: string;
}
