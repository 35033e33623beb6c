import { MigrationError } from '../../errors/index.js';
import { WANTS_ROWS } from '../../connection/server-status.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import type { TenantMigration } from '../set/migration-set.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { namesOf } from '../history/histories.js';
import { History } from '../history/history.js';
import { KEEP_PATH, queuedSql, RESTORE_SESSION_PATH } from './migrate-schema.js';
import { scriptFrom } from './script.js';
import { replacedIn } from './succession.js';
import type { TenantRun } from './tenant-run.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';

export interface OneMessageRun extends TenantRun {
  readonly schemaName: string;
  /** The history from which `planned` was planned, one name per line. */
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/**
 * `done`; `busy` if another session has the tenant's lock; `changed` if another run has applied one of the migrations; `unsuited` if this tenant
 * has to be migrated step by step. Only `done` has done something.
 */
export type OneMessageOutcome = 'done' | 'busy' | 'changed' | 'unsuited';

/**
 * Migrates a tenant upwards in two messages: the first takes the lock and looks whether another run has applied these migrations, the second
 * migrates, records and commits. This requires migrations that only queue SQL. Where there is nothing to do, the second ends the transaction: an
 * error would be in the server's log.
 *
 * @throws MigrationError `MIGRATION_FAILED` with the cause. PostgreSQL does not say which statement of a message has failed.
 */
export async function migrateInOneMessage(database: TenantDatabase, run: OneMessageRun): Promise<OneMessageOutcome> {
  const script = await scriptOf(database, run);

  if (script === undefined || !(await database.engine.takesScripts(undefined))) {
    return 'unsuited';
  }

  const { begin, look, migrate } = script;

  return database.onOneConnection(async ctx => {
    try {
      // in one message, or in two where the client gives no rows of several statements
      const rows = await database.execute<FoundRow>(`${WANTS_ROWS}${begin}\n;\n${look}`, [], ctx);
      const [row] = rows.length > 0 ? rows : await database.execute<FoundRow>(look, [], ctx);
      const outcome = row?.locked !== true ? 'busy' : row.changed ? 'changed' : 'done';
      await database.execute(outcome === 'done' ? migrate : 'rollback', [], ctx);

      return outcome;
    } catch (error) {
      // the failed message left its transaction open. On a lost connection the transaction is gone too
      await database.execute('rollback', [], ctx).catch(() => undefined);

      if (hasSqlState(error, NO_HISTORY)) {
        return 'unsuited';
      }

      throw MigrationError.failed(run.planned.map(({ name }) => name).join(' or '), run.schemaName, error);
    }
  });
}

async function scriptOf(
  database: TenantDatabase,
  run: OneMessageRun,
): Promise<{ readonly begin: string; readonly look: string; readonly migrate: string } | undefined> {
  const { schemaName, executed, planned, target } = run;
  const history = new History(database, schemaName);
  const platform = database.orm.em.getPlatform();
  const statements: string[] = [];

  // without a history there is no table for the check. A migration is reverted only if it is still the last one, which the check cannot tell
  if (executed === '' || target.direction === 'down') {
    return undefined;
  }

  // what the history has under another name is looked up under the lock
  if (planned.some(migration => replacedIn(migration, namesOf({ executed })).length > 0)) {
    return undefined;
  }

  for (const migration of planned) {
    const queued = await queuedSql(database, migration, 'up', schemaName);

    if (!migration.transactional || !queued.isComplete) {
      return undefined;
    }

    statements.push(
      `set local search_path to ${searchPathOf(schemaName, ...database.options.searchPath)}`,
      ...queued.sql,
      history.addSql(migration.name),
    );
  }

  // only `set_config` can change the path of the session, because `set search_path` is refused
  const keepsPath = statements.some(sql => /set_config/i.test(sql));
  const lock = platform.formatQuery(LOCK_KEY, [schemaName]);
  const names = planned.map(({ name }) => platform.quoteValue(name)).join(', ');

  return {
    begin: scriptFrom([
      // the look has to see what was committed before it
      'begin isolation level read committed',
      ...run.settingsOf(schemaName).map(([name, value]) => `set local ${name} to ${platform.quoteValue(value)}`),
      `select set_config('landlord.locked', pg_try_advisory_xact_lock(${lock})::text, true)`,
    ]),
    // a statement of its own after the lock, so that it sees the changes of another run
    look: `select current_setting('landlord.locked') = 'true' as locked, exists (select from ${history.table} where name in (${names})) as changed`,
    migrate: scriptFrom([...(keepsPath ? [KEEP_PATH] : []), ...statements, ...(keepsPath ? [RESTORE_SESSION_PATH] : []), 'commit']),
  };
}

interface FoundRow {
  readonly locked: boolean;
  readonly changed: boolean;
}

/** Undefined table, invalid schema name: schema or history have gone since they were read. */
const NO_HISTORY = ['42P01', '3F000'] as const;
