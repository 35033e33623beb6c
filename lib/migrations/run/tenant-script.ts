import type { TenantDatabase } from '../../database/tenant-database.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { namesOf } from '../history/histories.js';
import { History } from '../history/history.js';
import { KEEP_PATH, queuedSql, RESTORE_SESSION_PATH } from './migrate-schema.js';
import { replacedIn } from './succession.js';
import type { TenantRun, TenantWork } from './tenant-run.js';

/** What migrates a tenant upwards with a message that is made before anything is sent. */
export interface TenantScript {
  /** A condition that holds if another run has applied one of the migrations. */
  readonly changed: string;
  /** The statements after `begin`, with the values of a transaction for this tenant. */
  readonly settings: readonly string[];
  /** The statements after these and before `commit`. They migrate and record. */
  readonly statements: readonly string[];
}

/**
 * The script of a tenant whose migrations only queue SQL. Undefined if it has to be migrated step by step.
 *
 * @throws MigrationError `MIGRATION_FAILED` where a migration throws
 */
export async function tenantScript(
  database: TenantDatabase,
  { schemaName, executed, planned }: TenantWork,
  run: Pick<TenantRun, 'target' | 'settingsOf' | 'commitSettings'>,
): Promise<TenantScript | undefined> {
  const history = new History(database, schemaName);
  const platform = database.orm.em.getPlatform();
  const statements: string[] = [];

  // without a history there is no table for the check. A migration is reverted only if it is still the last one, which the check cannot tell
  if (executed === '' || run.target.direction === 'down') {
    return undefined;
  }

  // what the history has under another name is looked up under the lock
  if (planned.some(migration => replacedIn(migration, namesOf({ executed })).length > 0)) {
    return undefined;
  }

  const path = searchPathOf(schemaName, ...database.options.searchPath);

  for (const migration of planned) {
    const queued = await queuedSql(database, migration, 'up', schemaName);

    if (!migration.transactional || !queued.isComplete) {
      return undefined;
    }

    // set with the settings, and again for each further migration, because the one before it may have changed it
    statements.push(
      ...(statements.length === 0 ? [] : [`set local search_path to ${path}`]),
      ...queued.sql,
      history.addSql(migration.name),
    );
  }

  // only `set_config` can change the path of the session, because `set search_path` is refused
  const keepsPath = statements.some(sql => /set_config/i.test(sql));
  const settings = [...run.settingsOf(schemaName), ...run.commitSettings];
  const names = planned.map(({ name }) => platform.quoteValue(name)).join(', ');

  return {
    settings: [
      ...(keepsPath ? [KEEP_PATH] : []),
      ...settings.map(([name, value]) => `set local ${name} to ${platform.quoteValue(value)}`),
      `set local search_path to ${path}`,
    ],
    changed: `exists (select from ${history.table} where name in (${names}))`,
    statements: [...statements, ...(keepsPath ? [RESTORE_SESSION_PATH] : [])],
  };
}
