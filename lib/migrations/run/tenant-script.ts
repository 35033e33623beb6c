import { createHash } from 'node:crypto';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier, searchPathOf } from '../../postgres/schema-name.js';
import { namesOf } from '../history/histories.js';
import { History } from '../history/history.js';
import { SERVER_SESSION } from './commits.js';
import { queuedSql } from './migrate-schema.js';
import { replacedIn } from './succession.js';
import type { TenantRun, TenantWork } from './tenant-run.js';

/** What migrates a tenant upwards with a message that is made before anything is sent. */
export interface TenantScript {
  /** An expression for the oid of the schema now, 0 if there is none. */
  readonly schemaNow: string;
  /** A condition that holds once they are recorded. */
  readonly recorded: string;
  /** Whether they leave the session's own advisory locks alone. */
  readonly keepsLocks: boolean;
  /** The statements with the values of a transaction for this tenant. */
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

  const settings = [...run.settingsOf(schemaName), ...run.commitSettings];
  const names = planned.map(({ name }) => platform.quoteValue(name)).join(', ');

  return {
    settings: [
      ...settings.map(([name, value]) => `set local ${name} to ${platform.quoteValue(value)}`),
      `set local search_path to ${path}`,
    ],
    schemaNow: `coalesce(to_regnamespace(${platform.quoteValue(quoteIdentifier(schemaName))})::oid, 0)::text`,
    recorded: `exists (select from ${history.table} where name in (${names}))`,
    keepsLocks: !statements.some(sql => /pg_advisory_unlock/i.test(sql)),
    statements,
  };
}

/** A condition that holds if the history is not the one from which the migrations were planned. */
export function changedSql(database: TenantDatabase, { schemaName, executed }: Pick<TenantWork, 'schemaName' | 'executed'>): string {
  const planned = createHash('sha256').update(executed).digest('hex');

  return (
    `(select encode(sha256(convert_to(coalesce(string_agg(name, chr(10) order by id), ''), 'UTF8')), 'hex') ` +
    `from ${new History(database, schemaName).table}) is distinct from '${planned}'`
  );
}

/** Begins a transaction with these settings. The result of `locked` and what the session has before them are kept for `FOUND`. */
export function beginScript(locked: string, settings: readonly string[]): string[] {
  return [
    // the look at the history has to see what was committed before it
    'begin isolation level read committed',
    `select set_config('landlord.locked', ${locked}, true), set_config('landlord.search_path', current_setting('search_path'), true), ` +
      `set_config('landlord.role', current_setting('role'), true), set_config('landlord.session', ${SERVER_SESSION}, true)`,
    ...settings,
  ];
}

/** What `beginScript` has kept, as columns. */
export const FOUND =
  `current_setting('landlord.locked') as locked, current_setting('landlord.search_path') as path, ` +
  `current_setting('landlord.role') as role, nullif(current_setting('landlord.session'), '') as session`;

export interface FoundSession {
  readonly locked: string;
  readonly path: string;
  readonly role: string;
  readonly session: string | null;
}

/**
 * Columns that give the session its path and its role back. A migration can change them with `set_config` for longer than its transaction, also
 * in a function that it calls.
 */
export function restoreSession(database: TenantDatabase, { path, role }: Pick<FoundSession, 'path' | 'role'>): string {
  const platform = database.orm.em.getPlatform();

  return `set_config('search_path', ${platform.quoteValue(path)}, false), set_config('role', ${platform.quoteValue(role)}, false)`;
}
