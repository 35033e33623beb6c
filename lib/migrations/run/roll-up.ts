import { MigrationSetError, RunUsageError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { loadMigrationSet } from '../set/migration-set.js';
import { writeRollup } from '../set/combined-migration.js';
import { driftOf, readMade } from './drift.js';
import { readMadeSchema } from './made-schema.js';
import { migrateTenants } from './run.js';
import type { MigrateOptions, RunResult } from './run-types.js';
import { migrationStatus } from './status.js';

/** Options of a run over all tenants that runs no migration. */
export type RollUpOptions = Omit<
  MigrateOptions,
  'direction' | 'to' | 'from' | 'migrations' | 'skipPublicCheck' | 'only' | 'skip' | 'where' | 'canary'
>;

/** The combined migration, and the run that recorded it in the histories. */
export interface RollUpResult extends RunResult {
  /** The path of the file. */
  readonly fileName: string;
}

/**
 * Combines all migrations of the tenant set into one, and records it in the place of the others in the history of every tenant. It has to make
 * the same objects as the others did. Other databases get the new entry by their next `up`.
 *
 * @throws MigrationSetError `MIGRATION_ROLLED_UP` with the tenants that lack a migration, `MIGRATION_NOT_COMBINED`. No file is changed.
 */
export async function rollUp(database: TenantDatabase, options: RollUpOptions = {}): Promise<RollUpResult> {
  if (database.isInTransaction) {
    throw RunUsageError.inTransaction();
  }

  const set = await loadMigrationSet(database);

  if (set.length < 2) {
    throw MigrationSetError.notCombined(`the tenant set has ${set.length === 0 ? 'no migration' : 'only one migration'}`);
  }

  const { tenants } = await migrationStatus(database);
  const behind = tenants.filter(({ hasSchema, pending, error }) => !hasSchema || pending.length > 0 || error !== undefined);

  if (behind.length > 0) {
    throw MigrationSetError.behind(behind.map(({ schemaName }) => schemaName));
  }

  const { objects } = await readMade(database, set);
  const { fileName, name } = await writeRollup({ database, readMadeSchema }, set, async migration => {
    const drift = driftOf('', objects, (await readMade(database, [migration])).objects);

    if (drift !== undefined) {
      const differs = [...drift.lacks, ...drift.has, ...drift.differs];
      throw MigrationSetError.notCombined(`what was combined makes other objects than the migrations do: ${differs.join(', ')}`);
    }
  });

  return { ...(await migrateTenants(database, { ...options, migrations: [name], skipPublicCheck: true })), fileName };
}
