import type { TenantMigration } from '../set/migration-set.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { History } from '../history/history.js';
import { KEEP_PATH, queuedSql, RESTORE_SESSION_PATH } from './migrate-schema.js';
import { scriptFrom } from './script.js';
import type { TenantRun } from './migrate-tenant.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';

export interface OneMessageRun extends TenantRun {
  readonly schemaName: string;
  /** The history that `planned` was planned on, one name a line. */
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/**
 * Migrates a tenant upwards in one message: begin, lock, check that nobody has run these migrations meanwhile, migrate, record, commit.
 * That is possible where the database takes several commands in a message and the migrations only queue SQL. False tells that nothing was
 * done, which is so after every failure too: the caller then takes the long way, which finds out what it is.
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
      // the message ended inside the transaction that it began; a connection that is gone took that with it
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

  // without a history there is no table to look into; and what comes last is to be reverted only as long as it is the last
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

  // a path that is set for the session can be set by this function alone: as a statement it is refused
  const keepsPath = statements.some(sql => /set_config/i.test(sql));
  const lock = platform.formatQuery(LOCK_KEY, [schemaName]);

  return scriptFrom([
    'begin',
    ...(keepsPath ? [KEEP_PATH] : []),
    ...settings.map(([name, value]) => `set local ${name} to ${value}`),
    // each of these two divides by zero where the message must not go on. The second is a statement of its own, so it begins under the lock
    // and sees whatever another run has done
    `select 1 / pg_try_advisory_xact_lock(${lock})::int`,
    `select 1 / (count(*) = 0)::int from ${history.table} where name in (${planned.map(({ name }) => platform.quoteValue(name)).join(', ')})`,
    ...statements,
    ...(keepsPath ? [RESTORE_SESSION_PATH] : []),
    'commit',
  ]);
}
