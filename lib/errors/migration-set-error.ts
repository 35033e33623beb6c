import { reasonOf, show, TenantError } from './tenant-error.js';

/** The files of the tenant set, or the tenants' histories, are not such that what was asked for could be done. Nothing was changed. */
export class MigrationSetError extends TenantError {
  static severalSnapshots(folder: string, names: readonly string[]): MigrationSetError {
    return new MigrationSetError(
      'MIGRATION_SNAPSHOTS',
      `The folder ${show(folder)} has several snapshots of the tenant set: ${names.map(name => `${name}.json`).join(', ')}. With the wrong one, the next migration would repeat or undo changes. ` +
        'Nothing was written. Keep the one that was written with the latest migration, under the name `.snapshot.json`, and delete the others.',
    );
  }

  static renamed(migration: string, former: string): MigrationSetError {
    return new MigrationSetError(
      'MIGRATION_RENAMED',
      `Migration ${show(migration)} seems to be ${show(former)} under a new name: the history has ${show(former)}, which this version of the tenant set does not. Nothing was run in this schema, as the migration would run twice. ` +
        `If it was renamed, run \`mikro-orm migration:rename --tenants --from ${former} --to ${migration}\`, which changes the histories. If it is another one, give it a time stamp and a name of its own.`,
    );
  }

  static partlyRolledUp(migration: string, lacking: readonly string[]): MigrationSetError {
    return new MigrationSetError(
      'MIGRATION_ROLLED_UP',
      `Migration ${show(migration)} stands for several migrations, of which this schema has some and lacks ${lacking.map(show).join(', ')}. Nothing was run in this schema. ` +
        'Migrate it with the last version of the application that has these, and then with this one.',
    );
  }

  static recordedTwice(former: string, migration: string): MigrationSetError {
    return new MigrationSetError(
      'MIGRATION_RENAMED',
      `The history has both ${show(former)} and ${show(migration)}, so the first is not the former name of the second. Nothing was changed in this schema. ` +
        `If one of them is wrong, remove it with \`mikro-orm migration:unlog --tenants\`.`,
    );
  }

  static behind(schemaNames: readonly string[], first?: unknown): MigrationSetError {
    const shown = schemaNames.slice(0, 20).map(show).join(', ');

    return new MigrationSetError(
      'MIGRATION_ROLLED_UP',
      `The migrations were not combined, because ${schemaNames.length} of the tenants ${schemaNames.length === 1 ? 'is' : 'are'} not up to date: ${shown}${schemaNames.length > 20 ? ' …' : ''}. They would get none of what they lack. ${first === undefined ? '' : `The first one: ${reasonOf(first)}. `}` +
        'Nothing was changed. Run `mikro-orm migration:up --tenants` first.',
    );
  }

  static triggerOnReferenceTable(table: string): MigrationSetError {
    return new MigrationSetError(
      'MIGRATION_NOT_FOR_CITUS',
      `The table ${table} has a trigger, and tenant entities refer to it. On Citus it has to be a reference table then, which can have no trigger. No file was written. ` +
        'Remove the foreign keys to it (`createForeignKeyConstraint: false`), or the trigger: for the table of tenants that is `directory.trigger` or `domains`.',
    );
  }

  static notCombined(reason: string, cause?: unknown): MigrationSetError {
    return new MigrationSetError(
      'MIGRATION_NOT_COMBINED',
      `The migrations of the tenant set were not combined: ${reason}${cause === undefined ? '' : ` (${reasonOf(cause)})`}. Nothing was changed. Only what stands in \`up()\` and \`down()\` is combined, without imports and without other methods.`,
      { cause },
    );
  }
}
