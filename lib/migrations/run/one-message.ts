import { WANTS_ROWS } from '../../connection/server-status.js';
import { fitsBlock, StatementBlock } from '../../postgres/statement-block.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import type { TenantMigration } from '../set/migration-set.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { namesOf } from '../history/histories.js';
import { History } from '../history/history.js';
import { KEEP_PATH, queuedSql, RESTORE_SESSION_PATH } from './migrate-schema.js';
import { failureOf, scriptFrom, type Statement } from './script.js';
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
 * Migrates a tenant upwards in one block of statements: lock, check that no other run has applied these migrations, migrate, record. This
 * requires migrations that only queue SQL. Where there is nothing to do, the block does nothing: an error would be in the server's log.
 *
 * @throws MigrationError `MIGRATION_FAILED` with migration, statement and cause
 */
export async function migrateInOneMessage(database: TenantDatabase, run: OneMessageRun): Promise<OneMessageOutcome> {
  const script = await scriptOf(database, run);

  if (script === undefined || !(await database.engine.takesScripts(undefined))) {
    return 'unsuited';
  }

  const { statements, block, begin } = script;

  return database.onOneConnection(async ctx => {
    try {
      // in one message of the block and the `select`, or in two where the client gives no rows of the first
      const rows = await database.execute<OutcomeRow>(`${WANTS_ROWS}${begin}\n;\n${OUTCOME}`, [], ctx);
      const [row] = rows.length > 0 ? rows : await database.execute<OutcomeRow>(OUTCOME, [], ctx);
      // empty where nobody has set it in this session, or where that transaction has ended
      const outcome = row?.outcome || 'done';
      await database.execute(outcome === 'done' ? 'commit' : 'rollback', [], ctx);

      return outcome;
    } catch (error) {
      // the failed message left its transaction open. On a lost connection the transaction is gone too
      await database.execute('rollback', [], ctx).catch(() => undefined);

      if (hasSqlState(error, NO_HISTORY) && block.failedAt(error) === undefined) {
        return 'unsuited';
      }

      throw failureOf(statements, block, run.schemaName, error);
    }
  });
}

async function scriptOf(
  database: TenantDatabase,
  run: OneMessageRun,
): Promise<{ readonly begin: string; readonly block: StatementBlock; readonly statements: readonly Statement[] } | undefined> {
  const { schemaName, executed, planned, target } = run;
  const history = new History(database, schemaName);
  const platform = database.orm.em.getPlatform();
  const statements: Statement[] = [];

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

    if (!migration.transactional || !queued.isComplete || !queued.sql.every(fitsBlock)) {
      return undefined;
    }

    statements.push(
      { sql: `set local search_path to ${searchPathOf(schemaName, ...database.options.searchPath)}`, migration: undefined },
      ...queued.sql.map(sql => ({ sql, migration: migration.name })),
      { sql: history.addSql(migration.name), migration: undefined },
    );
  }

  // only `set_config` can change the path of the session, because `set search_path` is refused
  if (statements.some(({ sql }) => /set_config/i.test(sql))) {
    statements.unshift({ sql: KEEP_PATH, migration: undefined });
    statements.push({ sql: RESTORE_SESSION_PATH, migration: undefined });
  }

  const lock = platform.formatQuery(LOCK_KEY, [schemaName]);
  const names = planned.map(({ name }) => platform.quoteValue(name)).join(', ');
  const block = new StatementBlock()
    .add(`if not pg_try_advisory_xact_lock(${lock}) then ${outcomeIs('busy')}`)
    // a statement of its own after the lock, so that it sees the changes of another run
    .add(`elsif exists (select from ${history.table} where name in (${names})) then ${outcomeIs('changed')}`)
    .add('else');
  statements.forEach(({ sql }) => block.execute(sql));
  block.add('end if;');

  return {
    // each statement of the block has to see what was committed before it
    begin: scriptFrom([
      'begin isolation level read committed',
      ...run.settingsOf(schemaName).map(([name, value]) => `set local ${name} to ${platform.quoteValue(value)}`),
      block.sql,
    ]),
    block,
    statements,
  };
}

// set only where nothing is done, which costs what is done nothing
function outcomeIs(outcome: Exclude<OneMessageOutcome, 'done'>): string {
  return `perform set_config('landlord.outcome', '${outcome}', true);`;
}

const OUTCOME = `select current_setting('landlord.outcome', true) as outcome`;

interface OutcomeRow {
  readonly outcome: Exclude<OneMessageOutcome, 'done'> | '' | null;
}

/** Undefined table, invalid schema name: schema or history have gone since they were read. */
const NO_HISTORY = ['42P01', '3F000'] as const;
