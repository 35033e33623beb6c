import { describeBlockers, type Blocker } from './blocker.js';
import { hintOf } from './hint-of.js';
import { TenantError, reasonOf, show, type TenantErrorCode } from './tenant-error.js';

/** A migration set is invalid, or one of its migrations failed. */
export class MigrationError extends TenantError {
  readonly migration: string | undefined;
  /** The statement that failed, if the failure came from a statement. */
  readonly statement: string | undefined;
  /** Whether everything the migration did was rolled back. A migration that fails outside a transaction may be half done. */
  readonly isRolledBack: boolean;
  /** Migrations that the same run committed in this schema before the failure. This happens around migrations that run outside a transaction. */
  readonly done: readonly string[];
  /** The sessions that held a lock which was not had in time, as far as they are known. */
  readonly blockers: readonly Blocker[];

  static failed(migration: string, schemaName: string, cause: unknown, statement?: string, done: readonly string[] = []): MigrationError {
    return new MigrationError(
      'MIGRATION_FAILED',
      `Migration ${show(migration)} failed in schema ${show(schemaName)}: ${reasonOf(cause)}. ${committedBefore(done) ?? 'The schema was left as it was before the run.'} ${hintOf(cause)}Fix the cause and run again.`,
      migration,
      { cause, statement, done },
    );
  }

  static unknown(names: readonly string[]): MigrationError {
    return new MigrationError(
      'MIGRATION_UNKNOWN',
      `The tenant set has no migration ${names.map(show).join(', ')}. Nothing was run. Check the name against the files in \`migrations.path\`.`,
      names[0],
    );
  }

  static duplicate(name: string): MigrationError {
    return new MigrationError(
      'MIGRATION_DUPLICATE',
      `Two migrations of the tenant set are named ${show(name)}. The history identifies a migration by its name only. Nothing was run. Rename one of them.`,
      name,
    );
  }

  static folderMissing(folder: string): MigrationError {
    return new MigrationError(
      'MIGRATION_FOLDER_MISSING',
      `The folder of the tenant set, ${show(folder)}, does not exist. Nothing was run. Set \`migrations.path\` of \`withTenants()\`, or create the first migration with \`migration:create --tenants\`. If the set is meant to be empty, create the folder.`,
      undefined,
    );
  }

  static notLoadable(name: string, cause: unknown): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_LOADABLE',
      `Migration ${show(name)} cannot be loaded: ${reasonOf(cause)}. Nothing was run. Fix the file. It must export a class that extends Migration.`,
      name,
      { cause },
    );
  }

  static failedOutsideTransaction(
    migration: string,
    schemaName: string,
    cause: unknown,
    {
      statement,
      invalidIndexes,
      done,
    }: { readonly statement: string | undefined; readonly invalidIndexes: readonly string[]; readonly done: readonly string[] },
  ): MigrationError {
    const sentences = [
      `Migration ${show(migration)} runs outside a transaction, and failed in schema ${show(schemaName)}: ${reasonOf(cause)}.`,
      'Its statements before the failure were not rolled back, and it is not recorded in the history.',
      committedBefore(done),
      invalidIndexes.length > 0
        ? `It left the invalid ${invalidIndexes.length === 1 ? 'index' : 'indexes'} ${invalidIndexes.map(show).join(', ')} behind. Drop ${invalidIndexes.length === 1 ? 'it' : 'them'} before you run the migration again.`
        : undefined,
      'Fix the cause and run again.',
    ];

    return new MigrationError('MIGRATION_FAILED', sentences.filter(sentence => sentence !== undefined).join(' '), migration, {
      cause,
      statement,
      isRolledBack: false,
      done,
    });
  }

  static unknownInHistory(migration: string): MigrationError {
    return new MigrationError(
      'MIGRATION_UNKNOWN',
      `The history ends with migration ${show(migration)}. The tenant set does not contain it, so it cannot be reverted. Nothing was run. Use the version of the application that contains it.`,
      migration,
    );
  }

  static busy(schemaName: string, forMs: number, blockers: readonly Blocker[] = []): MigrationError {
    const [holder, remedy] =
      blockers.length === 0
        ? ['another run or session', 'Find the session that holds the advisory lock in `pg_locks`. If it is stuck, end it.']
        : [describeBlockers(blockers), 'If it is stuck, end it (`select pg_terminate_backend(pid)`).'];

    return new MigrationError(
      'TENANT_BUSY',
      `Schema ${show(schemaName)} was not migrated: the tenant's lock was held for ${Math.round(forMs / 1_000)} s by ${holder}. ` +
        `Nothing was run in this schema. ${remedy} Then run again.`,
      undefined,
      { blockers },
    );
  }

  static notMended(schemaName: string, cause?: unknown): MigrationError {
    return new MigrationError(
      'TENANT_BUSY',
      `Schema ${show(schemaName)} was not mended: it is being migrated, changed or used at the moment. Nothing was changed in it. Run it again.`,
      undefined,
      { cause },
    );
  }

  static historyUnreadable(schemaName: string, cause: unknown): MigrationError {
    return new MigrationError(
      'MIGRATION_HISTORY_UNREADABLE',
      `The migration history of schema ${show(schemaName)} cannot be read: ${reasonOf(cause)}. Nothing was run in this schema. Fix the history table, or end the session that has locked it, and run again.`,
      undefined,
      { cause },
    );
  }

  static historyForbidden(schemaName: string, role: string): MigrationError {
    return new MigrationError(
      'MIGRATION_HISTORY_UNREADABLE',
      `The role ${show(role)} may not read the migration history of schema ${show(schemaName)}. Nothing was run in this schema. ` +
        'Grant it `usage` on the schema and `select` on the history, or use the role that owns the schema.',
      undefined,
    );
  }

  static historyLost(schemaName: string): MigrationError {
    return new MigrationError(
      'MIGRATION_HISTORY_UNREADABLE',
      `Schema ${show(schemaName)} has tables but no migration history, so it is not known which migrations have run in it. A run would begin with the first. ` +
        'Restore the history table, or create it and record the migrations that have run.',
      undefined,
    );
  }

  static publicSetBehind(pending: readonly string[]): MigrationError {
    return new MigrationError(
      'PUBLIC_SET_BEHIND',
      `The public set has pending migrations (${pending.join(', ')}), and migrations of the tenant set may depend on them. Nothing was run. Run \`mikro-orm migration:up\` first, or pass \`--skip-public-check\`.`,
      undefined,
    );
  }

  static publicSetNotRun(pending: readonly string[]): MigrationError {
    return new MigrationError(
      'PUBLIC_SET_BEHIND',
      `There is no table of tenants yet: the public set has pending migrations (${pending.join(', ')}). Nothing was run. Run \`mikro-orm migration:up\` first.`,
      undefined,
    );
  }

  static oneSetForAll(names: readonly string[]): MigrationError {
    return new MigrationError(
      'MIGRATION_FOR_ONE_TENANT',
      `A migration cannot be created for ${names.map(show).join(', ')} only: all tenants share one tenant set. No file was written. Omit the names.`,
      undefined,
    );
  }

  static sessionState(migration: string, statement: string): MigrationError {
    return new MigrationError(
      'MIGRATION_SESSION_STATE',
      `Migration ${show(migration)} contains the statement ${show(statement)}. It would end the tenant's transaction, or change a connection that other work uses later. It was not run. Use \`set local\`, \`on commit drop\` and \`pg_advisory_xact_lock\`, and leave the transaction to the run.`,
      migration,
      { statement },
    );
  }

  static needsSession(migration: string, schemaName: string): MigrationError {
    return new MigrationError(
      'MIGRATION_NEEDS_SESSION',
      `Migration ${show(migration)} runs outside a transaction, so its \`search_path\` and its lock belong to the session. This connection goes through a pooler, which may use another session for each statement. ` +
        `Nothing was run in schema ${show(schemaName)}. Connect directly to PostgreSQL to run it.`,
      migration,
    );
  }

  static notInitial(): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_INITIAL',
      'An initial migration cannot be created: the tenant set already has migrations. No file was written. Omit `--initial`.',
      undefined,
    );
  }

  static dropsRows(tables: readonly string[], set: 'public' | 'tenant'): MigrationError {
    const [one, other] = set === 'public' ? ['the public schema', 'a tenant entity'] : ['every tenant', 'a shared entity'];

    return new MigrationError(
      'MIGRATION_DROPS_ROWS',
      `The migration would drop ${tables.map(show).join(', ')} in ${one}, with all rows, because ${other} has the table now. ` +
        (set === 'public'
          ? 'Foreign keys of tenants that refer to it would be dropped too, and no tenant could be created while a migration of the tenant set refers to it. '
          : '') +
        'No file was written. Copy the rows to where they belong first, or keep the table by `dropTables: false` in `migrations`. ' +
        `To drop it, create the migration with \`migration:create${set === 'public' ? '' : ' --tenants'} --drop-moved\`.`,
      undefined,
    );
  }

  static notRelative(statements: readonly string[]): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_RELATIVE',
      `The migration cannot be generated. These statements name the tenant's schema (\`*\`) where it cannot be left out, such as in a string or in the body of a function, so they do not work in every tenant: ${statements.join('; ')}. ` +
        'No file was written. The body of a trigger has the schema in `TG_TABLE_SCHEMA`. Use that, or write this part by hand in a blank migration (`migration:create --tenants --blank`).',
      undefined,
    );
  }

  constructor(code: TenantErrorCode, message: string, migration: string | undefined, options: MigrationErrorOptions = {}) {
    super(code, message, options);
    this.migration = migration;
    this.statement = options.statement;
    this.isRolledBack = options.isRolledBack ?? true;
    this.done = options.done ?? [];
    this.blockers = options.blockers ?? [];
  }

  /** This error, for a lock that these sessions held. */
  blockedBy(blockers: readonly Blocker[]): MigrationError {
    if (blockers.length === 0) {
      return this;
    }

    const { code, message, migration, cause, statement, isRolledBack, done } = this;

    return new MigrationError(code, `${message} The lock was held by ${describeBlockers(blockers)}.`, migration, {
      ...(cause === undefined ? {} : { cause }),
      statement,
      isRolledBack,
      done,
      blockers,
    });
  }

  /** This error, for a run that had committed `done` in the schema before. */
  after(done: readonly string[], schemaName: string): MigrationError {
    const isOfMigration = this.code === 'MIGRATION_FAILED' && this.isRolledBack && this.migration !== undefined;

    return isOfMigration && done.length > 0 ? MigrationError.failed(this.migration, schemaName, this.cause, this.statement, done) : this;
  }
}

function committedBefore(done: readonly string[]): string | undefined {
  return done.length === 0
    ? undefined
    : `Migrations that were committed before it in this schema remain applied: ${done.map(show).join(', ')}.`;
}

interface MigrationErrorOptions extends ErrorOptions {
  readonly statement?: string | undefined;
  readonly isRolledBack?: boolean;
  readonly done?: readonly string[];
  readonly blockers?: readonly Blocker[];
}
