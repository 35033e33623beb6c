import { reasonOf, show, TenantError } from './tenant-error.js';

/** A tenant was not cloned. Nothing was stored. `code` is `CLONE_REFUSED`, `CLONE_INCOMPLETE` or `CLONE_DIFFERS`. */
export class CloneError extends TenantError {
  readonly schemaName: string;
  /** What was refused or differs, each as PostgreSQL names it. */
  readonly objects: readonly string[];

  static refused(schemaName: string, objects: readonly string[]): CloneError {
    return new CloneError(
      'CLONE_REFUSED',
      schemaName,
      objects,
      `Schema ${show(schemaName)} cannot be copied, because statements cannot make this in another schema: ${listOf(objects)}. Nothing was stored. ` +
        'Change or drop it first. A text that has the name of the schema in it can be taken over as it is with `{ force: true }`; it then still names the former schema.',
    );
  }

  static refusedByCitus(schemaName: string, statement: string, cause: unknown): CloneError {
    return new CloneError(
      'CLONE_REFUSED',
      schemaName,
      [statement],
      `Citus cannot make this in schema ${show(schemaName)}: ${statement.slice(0, MAX_STATEMENT)}. It says: ${reasonOf(cause)}. Nothing was stored. ` +
        'Change or drop it in the source first.',
      { cause },
    );
  }

  static noSchema(schemaName: string): CloneError {
    return new CloneError(
      'CLONE_REFUSED',
      schemaName,
      [],
      `There is no schema ${show(schemaName)} to copy. Nothing was stored. Create it with \`tenants().provision(…)\`.`,
    );
  }

  static unknownTables(schemaName: string, tables: readonly string[]): CloneError {
    return new CloneError(
      'CLONE_REFUSED',
      schemaName,
      tables,
      `Schema ${show(schemaName)} has no table ${listOf(tables)}, which \`data\` names. Nothing was stored. Give names of tables, without a schema.`,
    );
  }

  static incomplete(schemaName: string, cause: unknown): CloneError {
    return new CloneError(
      'CLONE_INCOMPLETE',
      schemaName,
      [],
      `Rows that \`data\` selects refer to rows that it leaves out: ${reasonOf(cause)}. Nothing was stored. Name the table that they refer to as well, or clone with \`data: 'all'\`.`,
      { cause },
    );
  }

  static differs(schemaName: string, objects: readonly string[]): CloneError {
    return new CloneError(
      'CLONE_DIFFERS',
      schemaName,
      objects,
      `The copy of schema ${show(schemaName)} was not equal to it: ${listOf(objects)}. Nothing was stored. Please report this with the definition of what it names.`,
    );
  }

  constructor(
    code: 'CLONE_REFUSED' | 'CLONE_INCOMPLETE' | 'CLONE_DIFFERS',
    schemaName: string,
    objects: readonly string[],
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.schemaName = schemaName;
    this.objects = objects;
  }
}

/** A tenant's schema cannot be read as of one moment. `code` is `SNAPSHOT_IN_TRANSACTION` or `SNAPSHOT_BUSY`. */
export class SnapshotError extends TenantError {
  readonly schemaName: string;

  static inTransaction(schemaName: string): SnapshotError {
    return new SnapshotError(
      'SNAPSHOT_IN_TRANSACTION',
      schemaName,
      `Schema ${show(schemaName)} is read as of one moment, which needs a transaction of its own, and the caller is in a transaction. Nothing was done. Call it outside of the transaction.`,
    );
  }

  static importInTransaction(): SnapshotError {
    return new SnapshotError(
      'SNAPSHOT_IN_TRANSACTION',
      '',
      'An import needs a transaction of its own, because migrations run after it, and the caller is in a transaction. Nothing was done. Call it outside of the transaction.',
    );
  }

  static busy(schemaName: string): SnapshotError {
    return new SnapshotError(
      'SNAPSHOT_BUSY',
      schemaName,
      `Schema ${show(schemaName)} was being migrated or changed each time it was to be read. Nothing was done. Try again when the migrations are done.`,
    );
  }

  constructor(code: 'SNAPSHOT_IN_TRANSACTION' | 'SNAPSHOT_BUSY', schemaName: string, message: string) {
    super(code, message);
    this.schemaName = schemaName;
  }
}

/** A tenant was not exported or imported, or not migrated after it. `code` is `EXPORT_REFUSED`, `IMPORT_INVALID`, `IMPORT_REFUSED` or `IMPORT_NOT_MIGRATED`. */
export class TransferError extends TenantError {
  /** What was refused, if there are several things. */
  readonly objects: readonly string[];

  static notExported(schemaName: string, objects: readonly string[]): TransferError {
    return new TransferError(
      'EXPORT_REFUSED',
      `Tenant ${show(schemaName)} cannot be exported, because statements cannot make this elsewhere: ${listOf(objects)}. Change or drop it first. ` +
        'A text that has the name of the schema in it can be taken over as it is with `{ force: true }`.',
      objects,
    );
  }

  static invalid(reason: string, cause?: unknown): TransferError {
    return new TransferError(
      'IMPORT_INVALID',
      `The file is not a whole export of a tenant: ${reason}. Nothing was created. Transfer the file again, or export the tenant again.`,
      [],
      { cause },
    );
  }

  static refused(reason: string, remedy: string, objects: readonly string[] = [], cause?: unknown): TransferError {
    return new TransferError('IMPORT_REFUSED', `The export was not imported: ${reason}. Nothing was created. ${remedy}`, objects, {
      cause,
    });
  }

  static notMigrated(schemaName: string, cause: unknown): TransferError {
    return new TransferError(
      'IMPORT_NOT_MIGRATED',
      `Tenant ${show(schemaName)} was imported, and its pending migrations failed afterwards: ${reasonOf(cause)}. It is stored with all its rows, and has the migrations ` +
        `of its file. Fix the cause, and migrate it: \`tenants().migrate({ only: [${show(schemaName)}] })\`.`,
      [],
      { cause },
    );
  }

  constructor(
    code: 'EXPORT_REFUSED' | 'IMPORT_INVALID' | 'IMPORT_REFUSED' | 'IMPORT_NOT_MIGRATED',
    message: string,
    objects: readonly string[],
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.objects = objects;
  }
}

/** A schema that is there was not adopted, or rows were not moved out of public tables. `code` is `ADOPT_REFUSED` or `EXTRACT_REFUSED`. */
export class MoveError extends TenantError {
  readonly schemaName: string;
  readonly objects: readonly string[];

  static notAdopted(schemaName: string, objects: readonly string[]): MoveError {
    return new MoveError(
      'ADOPT_REFUSED',
      schemaName,
      `Schema ${show(schemaName)} is not what the tenant set makes: ${listOf(objects)}. It was left unchanged, and no tenant was stored. ` +
        'Change the schema so that it is equal, or adopt it as of an earlier migration with `{ to }`.',
      objects,
    );
  }

  static extract(schemaName: string, reason: string, objects: readonly string[] = []): MoveError {
    return new MoveError(
      'EXTRACT_REFUSED',
      schemaName,
      `The rows for tenant ${show(schemaName)} were not moved: ${reason}. Nothing of this tenant was changed.`,
      objects,
    );
  }

  constructor(code: 'ADOPT_REFUSED' | 'EXTRACT_REFUSED', schemaName: string, message: string, objects: readonly string[]) {
    super(code, message);
    this.schemaName = schemaName;
    this.objects = objects;
  }
}

/** The server has no room left for what was to be written. Nothing was stored. `code` is `STORAGE_FULL`. */
export class StorageFullError extends TenantError {
  readonly schemaName: string;

  constructor(action: string, schemaName: string, cause: unknown) {
    super(
      'STORAGE_FULL',
      `Tenant ${show(schemaName)} was not ${action}, because the database server has no space left: ${reasonOf(cause)}. Nothing was stored. Free some on ` +
        "the server's disk or in its tablespace, or give it more, and run it again.",
      { cause },
    );
    this.schemaName = schemaName;
  }
}

function listOf(objects: readonly string[]): string {
  const rest = objects.length - MAX_NAMED;

  return objects.slice(0, MAX_NAMED).join('; ') + (rest > 0 ? `; and ${rest} more (\`error.objects\` has all)` : '');
}

const MAX_NAMED = 12;

const MAX_STATEMENT = 200;
