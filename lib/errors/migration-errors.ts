import { TenantError, reasonOf, show, type TenantErrorCode } from './tenant-error.js';

/** Something is wrong with a migration set, or a migration of it failed. */
export class MigrationError extends TenantError {
  readonly migration: string | undefined;

  static failed(migration: string, schemaName: string, cause: unknown): MigrationError {
    return new MigrationError(
      'MIGRATION_FAILED',
      `Migration ${show(migration)} failed in schema ${show(schemaName)}: ${reasonOf(cause)}. That schema was left as it was before the run. Mend it and run again.`,
      migration,
      { cause },
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

  static notLoadable(name: string, cause: unknown): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_LOADABLE',
      `Migration ${show(name)} cannot be loaded: ${reasonOf(cause)}. Nothing was run. Mend the file; it has to export a class that extends Migration.`,
      name,
      { cause },
    );
  }

  static notTransactional(name: string): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_TRANSACTIONAL',
      `Migration ${show(name)} says it cannot run in a transaction, and the tenant set runs in one for each tenant. Nothing was run. Move that statement to the public set, or drop \`isTransactional()\`.`,
      name,
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

  static notRelative(statements: readonly string[]): MigrationError {
    return new MigrationError(
      'MIGRATION_NOT_RELATIVE',
      `The tenant set cannot be written: what MikroORM generates here names the schema in a way that cannot be made to fit every tenant: ${statements.join(' ')} ` +
        'No file was written. Write this part in a blank migration (`migration:create --tenants --blank`).',
      undefined,
    );
  }

  constructor(code: TenantErrorCode, message: string, migration: string | undefined, options?: ErrorOptions) {
    super(code, message, options);
    this.migration = migration;
  }
}
