import type { TenantMigration } from './migration-set.js';
import { searchPathOf } from '../schema-name.js';
import { hasSqlState } from '../sql-state.js';
import type { Tenancy } from '../tenancy.js';
import { History } from './history.js';
import { queuedSql } from './migrate-schema.js';
import { LOCK_KEY, type TenantRun } from './migrate-tenant.js';

export interface OneMessageRun extends TenantRun {
  readonly schemaName: string;
  /** The history that `planned` was planned on, one name a line. */
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/**
 * Migrates a tenant in one message: begin, lock, check that the history is still what it was, migrate, record, commit. That is possible
 * where the database takes several commands in a message and the migrations only queue SQL; `'not possible'` tells that nothing was done,
 * and so does every failure: the caller then takes the long way, which finds out what it is.
 */
export async function migrateInOneMessage(tenancy: Tenancy, run: OneMessageRun): Promise<'done' | 'busy' | 'not possible'> {
  const script = await scriptOf(tenancy, run);

  if (script === undefined || !(await tenancy.takesScripts(undefined))) {
    return 'not possible';
  }

  return tenancy.onOneConnection(async ctx => {
    try {
      await tenancy.execute(script, [], ctx);

      return 'done';
    } catch (error) {
      // the message ended inside the transaction that it began
      await tenancy.execute('rollback', [], ctx);

      return hasSqlState(error, [BUSY]) ? 'busy' : 'not possible';
    }
  });
}

async function scriptOf(tenancy: Tenancy, run: OneMessageRun): Promise<string | undefined> {
  const { schemaName, executed, planned, lockTimeoutMs, statementTimeoutMs, target } = run;
  const { direction } = target;
  const history = new History(tenancy, schemaName);
  const platform = tenancy.orm.em.getPlatform();
  const statements: string[] = [];

  if (executed === '' || executed.includes(TAG)) {
    return undefined;
  }

  for (const migration of planned) {
    const queued = await queuedSql(tenancy, migration, direction, schemaName);

    if (!migration.transactional || !queued.isComplete) {
      return undefined;
    }

    statements.push(
      `set local search_path to ${searchPathOf(schemaName, ...tenancy.options.searchPath)}`,
      ...queued.sql.map(sql => sql.replace(/;\s*$/, '')),
      direction === 'up' ? history.addSql(migration.name) : history.removeSql(migration.name),
    );
  }

  const lock = platform.formatQuery(LOCK_KEY, [schemaName]);

  return [
    'begin',
    `set local lock_timeout to ${Math.round(lockTimeoutMs)}`,
    ...(statementTimeoutMs === undefined ? [] : [`set local statement_timeout to ${Math.round(statementTimeoutMs)}`]),
    // the history is read by a statement of its own, which begins under the lock and so sees whatever another run has done
    `do ${TAG} begin ` +
      `if not pg_try_advisory_xact_lock(${lock}) then raise exception using errcode = '${BUSY}', message = 'busy'; end if; ` +
      `if (${history.namesSql()}) is distinct from ${platform.quoteValue(executed)} then raise exception using errcode = '${CHANGED}', message = 'changed'; end if; ` +
      `end ${TAG}`,
    ...statements,
    'commit',
  ].join(';\n');
}

const TAG = '$landlord$';

/** SQLSTATEs of a class that neither the standard nor PostgreSQL uses. */
const [BUSY, CHANGED] = ['LL001', 'LL002'] as const;
