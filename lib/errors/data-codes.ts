import type { CloneError, MoveError, SnapshotError, StorageFullError, TransferError } from './data-errors.js';

/** The codes of cloning, export and import, extracting and adopting, as in error-codes.ts. */
export interface DataErrorCodes {
  /**
   * The schema of the tenant has something that statements cannot make in another schema, or has its own name in a text. `objects` lists it.
   * @remedy Change or drop what is listed. `force: true` takes over texts as they are.
   */
  CLONE_REFUSED: CloneError;
  /**
   * The tables that `data` names have rows that refer to rows of tables which it leaves out.
   * @remedy Name those tables too, or clone with `data: 'all'`.
   */
  CLONE_INCOMPLETE: CloneError;
  /**
   * The copy was compared with the source, and was not equal. It was rolled back. `objects` lists what differs.
   * @remedy Report it, with the definition of what is listed.
   */
  CLONE_DIFFERS: CloneError;
  /**
   * The disk or the tablespace of the server was full while a tenant was cloned, imported, extracted or created. It was rolled back.
   * @remedy Make room on the server, and run it again.
   */
  STORAGE_FULL: StorageFullError;
  /**
   * A tenant was to be cloned, exported or imported inside a transaction of the caller. What is read as of one moment needs a transaction of its own.
   * @remedy Call it outside of the transaction.
   */
  SNAPSHOT_IN_TRANSACTION: SnapshotError;
  /**
   * The schema changed each time it was to be read, for example because it was being migrated.
   * @remedy Try again when the migrations are done.
   */
  SNAPSHOT_BUSY: SnapshotError;
  /**
   * The schema of the tenant has something that statements cannot make elsewhere. `objects` lists it.
   * @remedy Change or drop what is listed.
   */
  EXPORT_REFUSED: TransferError;
  /**
   * The file is no export of a tenant, was changed, or has lost its end. Nothing was created.
   * @remedy Transfer the file again, or export the tenant again.
   */
  IMPORT_INVALID: TransferError;
  /**
   * The file is an export, and cannot be imported here: its migrations are not those of this tenant set, or its format is newer.
   * @remedy Do what the message says.
   */
  IMPORT_REFUSED: TransferError;
  /**
   * A tenant was imported, and the pending migrations of the tenant set failed in it afterwards. It is stored with all its rows.
   * @remedy Fix the cause, then migrate the tenant. Do not import it again.
   */
  IMPORT_NOT_MIGRATED: TransferError;
  /**
   * A schema that was to become a tenant differs from what the tenant set makes. `objects` lists how.
   * @remedy Change the schema so that it is equal, or adopt it as of an earlier migration.
   */
  ADOPT_REFUSED: MoveError;
  /**
   * Rows of public tables were not moved to a tenant: some refer across, a table has no way to the customer, or the copy was not equal.
   * @remedy Do what the message says. `dryRun` lists it before.
   */
  EXTRACT_REFUSED: MoveError;
}
