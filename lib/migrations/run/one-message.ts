import type { TenantMigration } from '../set/migration-set.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { History } from '../history/history.js';
import { KEEP_PATH, queuedSql, RESTORE_SESSION_PATH } from './migrate-schema.js';
import { scriptFrom } from './script.js';
import type { TenantRun } from './tenant-run.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';

export interface OneMessageRun extends TenantRun {
  readonly schemaName: string;
  /** The history from which `planned` was planned, one name per line. */
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/**
 * Migrates a tenant upwards in one message: begin, lock, check that no other run has applied these migrations, migrate, record, commit.
 * This requires a database that accepts several commands in one message, and migrations that only queue SQL. Returns false if nothing was
 * done, which includes every failure. The caller then migrates step by step, which finds the cause.
 */
export async function migrateInOneMessage(database: TenantDatabase, run: OneMessageRun): Promise<boolean> {
  const script = await scriptOf(database, run);

  if (script === undefined || !(await database.engine.takesScripts(undefined))) {
    return false;
  }

  return database.onOneConnection(async ctx => {
    try {
      await database.execute(script, [], ctx);

      return true;
    } catch {
      // the failed message left its transaction open. On a lost connection the transaction is gone too
      await database.execute('rollback', [], ctx).catch(() => undefined);

      return false;
    }
  });
}

async function scriptOf(database: TenantDatabase, run: OneMessageRun): Promise<string | undefined> {
  const { schemaName, executed, planned, settings, target } = run;
  const history = new History(database, schemaName);
  const platform = database.orm.em.getPlatform();
  const statements: string[] = [];

  // without a history there is no table for the check. A migration is reverted only if it is still the last one, which the check cannot tell
  if (executed === '' || target.direction === 'down') {
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

  return scriptFrom([
    'begin',
    ...(keepsPath ? [KEEP_PATH] : []),
    ...settings.map(([name, value]) => `set local ${name} to ${value}`),
    // each of these two divides by zero to stop the message. The second one is a separate statement after the lock, so that it sees the
    // changes of another run
    `select 1 / pg_try_advisory_xact_lock(${lock})::int`,
    `select 1 / (count(*) = 0)::int from ${history.table} where name in (${planned.map(({ name }) => platform.quoteValue(name)).join(', ')})`,
    ...statements,
    ...(keepsPath ? [RESTORE_SESSION_PATH] : []),
    'commit',
  ]);
}
