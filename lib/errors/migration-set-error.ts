import { show, TenantError } from './tenant-error.js';

/** The files of the tenant set, or the tenants' histories, are not such that what was asked for could be done. Nothing was changed. */
export class MigrationSetError extends TenantError {
  static severalSnapshots(folder: string, names: readonly string[]): MigrationSetError {
    return new MigrationSetError(
      'MIGRATION_SNAPSHOTS',
      `The folder ${show(folder)} has several snapshots of the tenant set: ${names.map(name => `${name}.json`).join(', ')}. With the wrong one, the next migration would repeat or undo changes. ` +
        'Nothing was written. Keep the one that was written with the latest migration, under the name `.snapshot.json`, and delete the others.',
    );
  }
}
