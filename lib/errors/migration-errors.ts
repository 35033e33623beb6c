import { TenantError, reasonOf, show, type TenantErrorCode } from './tenant-error.js';

/** Something is wrong with a migration set, or a migration of it failed. */
export class MigrationError extends TenantError {
  readonly migration: string | undefined;
  /** The statement that failed, where one did. */
  readonly statement: string | undefined;
  /** Whether all it did was rolled back; what failed outside a transaction may be half done. */
  readonly isRolledBack: boolean;
  /** What ran before it in that schema in the same run and was committed, as after a migration that runs outside a transaction. */
  readonly done: readonly string[];

  static failed(migration: string, schemaName: string, cause: unknown, statement?: string, done: readonly string[] = []): MigrationError {
    return new MigrationError(
      'MIGRATION_FAILED',
      `Migration ${show(migration)} failed in schema ${show(schemaName)}: ${reasonOf(cause)}. ${standing(done, 'That schema was left as it was before the run.')} Mend it and run again.`,
      migration,
      { cause, statement, done },
    );
  }

  static unknown(names: readonly string[]): MigrationError {
    return new MigrationError(
      'MIGRATION_UNKNOWN',
      `There is no migration ${names.map(show).join(', ')} in the tenant set. Nothing was run. Check the name against the files in \`migrations.path\`.`,
      names[0],
    );
  }

  static duplicate(name: string): MigrationError {
    return new MigrationError(
      'MIGRATION_DUPLICATE',
      `Two migrations of the tenant set are named ${show(name)}, and the history tells them apart by name alone. Nothing was run. Rename one.`,
      name,
    );
  }

  static folderMissing(folder: string): MigrationError {
    return new MigrationError(
      'MIGRATION_FOLDER_MISSING',
      `There is no folder ${show(folder)}, where the tenant set should be. Nothing was run. Set \`migrations.path\` of \`withTenants\`, write the first migration with \`migration:create --tenants\`, or make the folder if the set is to be empty.`,
      undefined,
    );
  }

  static notLoadable(name: string, cause: unknown): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_LOADABLE',
      `Migration ${show(name)} cannot be loaded: ${reasonOf(cause)}. Nothing was run. Mend the file; it has to export a class that extends Migration.`,
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
    const left =
      invalidIndexes.length > 0
        ? `It left the invalid ${invalidIndexes.length === 1 ? 'index' : 'indexes'} ${invalidIndexes.map(show).join(', ')} behind: drop ${invalidIndexes.length === 1 ? 'it' : 'them'} before you run it again. `
        : '';

    return new MigrationError(
      'MIGRATION_FAILED',
      `Migration ${show(migration)}, which runs outside a transaction, failed in schema ${show(schemaName)}: ${reasonOf(cause)}. ` +
        `${left}What came before the failure in it stands, and it is not recorded. ${standing(done, '')}${done.length > 0 ? ' ' : ''}Mend it and run again.`,
      migration,
      { cause, statement, isRolledBack: false, done },
    );
  }

  static unknownInHistory(migration: string): MigrationError {
    return new MigrationError(
      'MIGRATION_UNKNOWN',
      `The history ends with migration ${show(migration)}, which the tenant set does not have, so it cannot be reverted. Nothing was run. Use the version of the application that has it.`,
      migration,
    );
  }

  static busy(schemaName: string, forMs: number): MigrationError {
    return new MigrationError(
      'TENANT_BUSY',
      `Schema ${show(schemaName)} was not migrated: another run or session has had the tenant's lock for ${Math.round(forMs / 1_000)} s. ` +
        'Nothing was run in it. See in `pg_locks` who holds an advisory lock, end that session if it is stuck, and run again.',
      undefined,
    );
  }

  static historyUnreadable(schemaName: string, cause: unknown): MigrationError {
    return new MigrationError(
      'MIGRATION_HISTORY_UNREADABLE',
      `The history of schema ${show(schemaName)} cannot be read: ${reasonOf(cause)}. Nothing was run in it. Mend it, or end the session that has it locked, and run again.`,
      undefined,
      { cause },
    );
  }

  static publicSetBehind(pending: readonly string[]): MigrationError {
    return new MigrationError(
      'PUBLIC_SET_BEHIND',
      `The public set is behind (${pending.join(', ')}), and tenants' migrations may refer to what it creates. Nothing was run. Run \`mikro-orm migration:up\` first, or pass \`--skip-public-check\`.`,
      undefined,
    );
  }

  static oneSetForAll(names: readonly string[]): MigrationError {
    return new MigrationError(
      'MIGRATION_FOR_ONE_TENANT',
      `A migration cannot be written for ${names.map(show).join(', ')}: there is one tenant set, and every tenant gets all of it. No file was written. Leave the names out.`,
      undefined,
    );
  }

  static sessionState(migration: string, statement: string): MigrationError {
    return new MigrationError(
      'MIGRATION_SESSION_STATE',
      `Migration ${show(migration)} has the statement ${show(statement)}, which would end the tenant's transaction or stay on a connection that others use after it. It was not run. Use \`set local\`, or leave the transaction to the run.`,
      migration,
      { statement },
    );
  }

  static needsSession(migration: string, schemaName: string): MigrationError {
    return new MigrationError(
      'MIGRATION_NEEDS_SESSION',
      `Migration ${show(migration)} runs outside a transaction, with a path and a lock that are the session's, and this connection goes through a pooler that may give every statement another session. ` +
        `Nothing was run in schema ${show(schemaName)}. Run it over a connection straight to PostgreSQL.`,
      migration,
    );
  }

  static notInitial(): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_INITIAL',
      'The first migration of the tenant set cannot be written, as the set has migrations already. No file was written. Leave `--initial` out.',
      undefined,
    );
  }

  static notRelative(statements: readonly string[]): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_RELATIVE',
      `The tenant set cannot be written: what MikroORM generates here names the schema in a way that cannot be made to fit every tenant: ${statements.join(' ')} ` +
        'No file was written. Write this part in a blank migration (`migration:create --tenants --blank`).',
      undefined,
    );
  }

  constructor(code: TenantErrorCode, message: string, migration: string | undefined, options: MigrationErrorOptions = {}) {
    super(code, message, options);
    this.migration = migration;
    this.statement = options.statement;
    this.isRolledBack = options.isRolledBack ?? true;
    this.done = options.done ?? [];
  }

  /** The same of a run that had committed these before in that schema. */
  after(done: readonly string[], schemaName: string): MigrationError {
    const isOfMigration = this.code === 'MIGRATION_FAILED' && this.isRolledBack && this.migration !== undefined;

    return isOfMigration && done.length > 0 ? MigrationError.failed(this.migration, schemaName, this.cause, this.statement, done) : this;
  }
}

function standing(done: readonly string[], otherwise: string): string {
  return done.length === 0 ? otherwise : `What ran before it in that schema stands: ${done.map(show).join(', ')}.`;
}

interface MigrationErrorOptions extends ErrorOptions {
  readonly statement?: string | undefined;
  readonly isRolledBack?: boolean;
  readonly done?: readonly string[];
}

/** A run that cannot be, as it was asked for. Nothing was run. */
export class RunUsageError extends TenantError {
  static option(option: string, value: unknown, expected: string, options?: ErrorOptions): RunUsageError {
    return new RunUsageError('RUN_USAGE', `\`${option}\` is ${show(value)}, and takes ${expected}. Nothing was run.`, options);
  }

  static condition(where: unknown, cause: unknown): RunUsageError {
    return RunUsageError.option('where', where, `a condition on the tenant entity: ${reasonOf(cause)}`, { cause });
  }

  static withoutTenants(option: string): RunUsageError {
    return new RunUsageError(
      'RUN_USAGE',
      `\`${option}\` is an option of a run over tenants, and no tenants were asked for. Nothing was run. Add \`--tenants\`.`,
    );
  }

  static inTransaction(): RunUsageError {
    return new RunUsageError(
      'RUN_IN_TRANSACTION',
      'A run gives each tenant a transaction of its own, so it cannot be part of one. Nothing was run. Call `migrate()` after the transaction, or outside it.',
    );
  }
}
