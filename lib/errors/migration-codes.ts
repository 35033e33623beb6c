import type { MigrationError } from './migration-errors.js';
import type { RunUsageError } from './run-usage-error.js';
import type { MigrationSetError } from './migration-set-error.js';

/** The class of each code of migrations, with the cause and the remedy, from which docs/reference/errors.md is written. */
export interface MigrationErrorCodes {
  /**
   * A migration failed in one schema. The schema was left as it was, except for the migrations in `done`. `migration`, `statement` and `cause` say what failed.
   * @remedy Fix the cause and run again. The run does what is left.
   */
  MIGRATION_FAILED: MigrationError;
  /**
   * The tenant set has no migration of that name. Nothing ran.
   * @remedy Compare the name with the files of the tenant set. To revert it, use the version of the application that has it.
   */
  MIGRATION_UNKNOWN: MigrationError;
  /**
   * Two migrations of the tenant set have one name, by which the history knows them. Nothing ran.
   * @remedy Rename one of them.
   */
  MIGRATION_DUPLICATE: MigrationError;
  /**
   * The file of a migration cannot be loaded. Nothing ran. `cause` says why.
   * @remedy Fix the file: it has to export a class that extends `Migration`.
   */
  MIGRATION_NOT_LOADABLE: MigrationError;
  /**
   * The history of a tenant is broken or lost, may not be read, or is locked by another session. The other tenants are migrated.
   * @remedy Repair the history, grant the right to read it, or end the session. `migration:log --tenants` writes a history that was lost.
   */
  MIGRATION_HISTORY_UNREADABLE: MigrationError;
  /**
   * The folder of the tenant set does not exist. Nothing ran.
   * @remedy Set `migrations.path` of `withTenants()`, or write the first migration with `migration:create --tenants`.
   */
  MIGRATION_FOLDER_MISSING: MigrationError;
  /**
   * Another run or session held the lock of a tenant for longer than the run waits. Nothing ran in that tenant. `blockers` says who.
   * @remedy If that session is stuck, end it. Then run again.
   */
  TENANT_BUSY: MigrationError;
  /**
   * A run was given an option that does not work, or a schema that it must not touch. Nothing ran.
   * @remedy Give the option as the message says.
   */
  RUN_USAGE: RunUsageError;
  /**
   * A run was started inside a transaction of the caller. It migrates each tenant in a transaction of its own. Nothing ran.
   * @remedy Start it after the transaction, or outside of it.
   */
  RUN_IN_TRANSACTION: RunUsageError;
  /**
   * A part of the tenant set cannot be generated in a form that fits every tenant, because it names the schema in a string or in the body of a function. No file was written.
   * @remedy Use `TG_TABLE_SCHEMA` in the body of a trigger, or write that part by hand in a blank migration.
   */
  MIGRATION_NOT_RELATIVE: MigrationError;
  /**
   * An initial migration was asked for, and the tenant set has migrations already. No file was written.
   * @remedy Leave out `--initial`.
   */
  MIGRATION_NOT_INITIAL: MigrationError;
  /**
   * A migration would drop a table with its rows, because its entity has moved between the public schema and the tenants. No file was written.
   * @remedy Copy the rows first, and set `dropTables: false` meanwhile. `--drop-moved` writes the migration all the same.
   */
  MIGRATION_DROPS_ROWS: MigrationError;
  /**
   * The folder of the tenant set has several snapshots, and none is the right one for certain. Nothing was written.
   * @remedy Keep the one that was written with the latest migration, as `.snapshot.json`, and delete the others.
   */
  MIGRATION_SNAPSHOTS: MigrationSetError;
  /**
   * The history of a tenant has a migration under another name. Nothing ran in that tenant, as the migration would run twice.
   * @remedy Tell the histories: `migration:rename --tenants --from OLD --to NEW`.
   */
  MIGRATION_RENAMED: MigrationSetError;
  /**
   * A migration stands for several, of which a tenant has only some. Nothing ran in that tenant.
   * @remedy Migrate the tenant with the last version of the application that has these migrations, then with this one.
   */
  MIGRATION_ROLLED_UP: MigrationSetError;
  /**
   * The migrations of the tenant set cannot be combined into one. Nothing was changed.
   * @remedy Combine by hand, or leave them. Only what stands in `up()` and `down()`, without imports, can be combined.
   */
  MIGRATION_NOT_COMBINED: MigrationSetError;
  /**
   * What is to be generated cannot be had on Citus: a table that has to be on every node has a trigger. No file was written.
   * @remedy Remove the trigger, or the foreign keys of tenants to the table.
   */
  MIGRATION_NOT_FOR_CITUS: MigrationSetError;
  /**
   * A migration of the tenant set would end its transaction, or leave something on the connection. It did not run.
   * @remedy Use `set local`, `on commit drop` and `pg_advisory_xact_lock`, and leave the transaction to the run.
   */
  MIGRATION_SESSION_STATE: MigrationError;
  /**
   * A migration that runs outside a transaction was started through a pooler, which may use another session for each statement. Nothing ran in the tenant.
   * @remedy Run it over a direct connection to PostgreSQL.
   */
  MIGRATION_NEEDS_SESSION: MigrationError;
  /**
   * A migration was to be written for some tenants only, and all tenants share one set. No file was written.
   * @remedy Leave out the names.
   */
  MIGRATION_FOR_ONE_TENANT: MigrationError;
  /**
   * The public set has pending migrations, on which those of the tenants may depend. Nothing ran.
   * @remedy Run `migration:up` first. `--skip-public-check` runs all the same.
   */
  PUBLIC_SET_BEHIND: MigrationError;
}
