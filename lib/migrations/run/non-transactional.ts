import type { Transaction } from '@mikro-orm/core';
import { MigrationError } from '../../errors/index.js';
import { quoteIdentifier, searchPathOf } from '../../postgres/schema-name.js';
import { connectionWasLost, sqlStateOf } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { refuseLocalTables } from '../../database/citus/local-tables.js';
import { History } from '../history/history.js';
import { ConcurrentStatements } from './concurrent-statements.js';
import { runOnConnection } from './migrate-schema.js';
import { migrateStep } from './migrate-step.js';
import type { TenantRun, TenantRunOutcome, TenantWork } from './tenant-run.js';
import type { TenantMigration } from '../set/migration-set.js';
import { isBehindPooler } from '../../connection/pool/pooled-connection.js';
import { tryLockForSession, unlockForSession } from '../../database/tenant-lock.js';

/**
 * Migrates a tenant whose plan contains migrations that cannot run in a transaction. Uses one reserved connection, which holds the tenant's
 * lock during the whole plan. Each of these migrations runs alone, and the migrations between them run in transactions.
 *
 * @throws SchemaMissingError, MigrationError with the migrations that remain committed, or `MIGRATION_NEEDS_SESSION`
 */
export async function migrateOnOneConnection(database: TenantDatabase, work: TenantWork, run: StepwiseRun): Promise<TenantRunOutcome> {
  const { schemaName } = work;

  // behind a transaction pooler this is not one session: another client would get the path, and the lock would never be released
  if (await isBehindPooler(database)) {
    throw MigrationError.needsSession(work.planned.find(({ transactional }) => !transactional)?.name ?? '', schemaName);
  }

  return database.onOneConnection(async ctx => {
    if (!(await tryLockForSession(database, schemaName, ctx))) {
      return 'busy';
    }

    return withCleanUp(
      () => migrateStepByStep(database, work, { ...run, ctx }),
      async () => {
        await endTransaction(database, ctx);
        await unlockForSession(database, schemaName, ctx);
      },
      { database, ctx },
    );
  });
}

/** A run that records the migrations it has committed in the tenant, across its attempts. */
export type StepwiseRun = TenantRun & {
  readonly done: string[];
  /** Whether a failure has to tell its statement at once. It takes longer. */
  readonly namesStatements: boolean;
  /** The error of a message that was shared with other tenants. The next attempt is the one that finds the statement. */
  readonly sharedError?: unknown;
};

type PinnedRun = StepwiseRun & { readonly ctx: Transaction };

async function takeStep(database: TenantDatabase, work: TenantWork, run: PinnedRun): ReturnType<typeof migrateStep> {
  try {
    return await database.inTransaction(async ctx => migrateStep(database, work, { ...run, ctx, whole: false }), run.ctx);
  } catch (error) {
    throw error instanceof MigrationError ? error.after(run.done, work.schemaName) : error;
  }
}

async function migrateStepByStep(database: TenantDatabase, work: TenantWork, run: PinnedRun): Promise<TenantRunOutcome> {
  const { done } = run;

  // to look once more whether anything is left would report what is done as failed, where the look fails
  while (done.length === 0 || !work.planned.every(({ name }) => done.includes(name))) {
    const step = await takeStep(database, work, run);

    if (step === 'busy') {
      return step;
    }

    done.push(...step.done);

    if (step.next === undefined) {
      return done;
    }

    await migrateOutsideTransaction(database, work.schemaName, step.next, run);
    done.push(step.next.name);
  }

  return done;
}

/**
 * Runs one migration statement by statement. The tenant's path is set for the session, and always reset. The migration is recorded only if
 * it succeeds completely. After a failure it is not retried, because it may be half done, and the error names what it left behind.
 */
async function migrateOutsideTransaction(
  database: TenantDatabase,
  schemaName: string,
  migration: TenantMigration,
  run: PinnedRun,
): Promise<void> {
  const { ctx, target, done } = run;
  const settings = run.settingsOf(schemaName);
  const history = new History(database, schemaName);
  const concurrent = new ConcurrentStatements(database, { schemaName, ctx, lockTimeoutMs: run.lockTimeoutMs, notify: run.notify });
  let statement: string | undefined;
  let isOnlyAsking = false;
  const onStatement = async (sql: string): Promise<void> => {
    statement = sql;
    await concurrent.before(sql);
  };

  // where `searchPath` is set, the path of the session is not the one that `reset` gives it
  const path = database.options.searchPath.length === 0 ? undefined : await pathOfSession(database, ctx);

  const migrate = async (): Promise<void> => {
    await database.execute(`set search_path to ${searchPathOf(schemaName, ...database.options.searchPath)}`, [], ctx);

    for (const [name, value] of settings) {
      await database.execute(`set ${name} to ${database.orm.em.getPlatform().quoteValue(value)}`, [], ctx);
    }

    await runOnConnection(database, migration, { schemaName, direction: target.direction, ctx, onStatement });
    await database.execute(target.direction === 'up' ? history.addSql(migration.name) : history.removeSql(migration.name), [], ctx);
    isOnlyAsking = true;
    await refuseOpenTransaction(database, ctx);
    isOnlyAsking = false;
    await refuseLocalTables(database, schemaName, { ctx, isRolledBack: false });
  };

  try {
    const names = ['search_path', ...settings.map(([name]) => name)];
    await withCleanUp(migrate, () => reset(database, { path, names }, ctx), { database, ctx });
  } catch (error) {
    // only the question after it has failed
    if (isOnlyAsking && sqlStateOf(error) !== undefined && (await isDone(history, migration, { target, ctx }))) {
      return;
    }

    const left = connectionWasLost(error) ? [] : await invalidIndexes(database, schemaName, ctx).catch(() => []);
    throw MigrationError.failedOutsideTransaction(migration.name, schemaName, error, { statement, invalidIndexes: left, done });
  }
}

/** Whether it is in the history, or no more, now that a transaction which it left open is rolled back. False where that cannot be asked. */
async function isDone(
  history: History,
  { name }: TenantMigration,
  { target, ctx }: { readonly target: TenantRun['target']; readonly ctx: Transaction },
): Promise<boolean> {
  const executed = await history.executed(ctx).catch(() => undefined);

  return executed !== undefined && executed.some(each => each.name === name) === (target.direction === 'up');
}

async function pathOfSession(database: TenantDatabase, ctx: Transaction): Promise<string | undefined> {
  const [row] = await database.execute<{ path: string }>(`select current_setting('search_path') as path`, [], ctx);

  return row?.path;
}

async function reset(
  database: TenantDatabase,
  { path, names }: { readonly path: string | undefined; readonly names: readonly string[] },
  ctx: Transaction,
): Promise<void> {
  await endTransaction(database, ctx);

  for (const name of names) {
    await database.execute(`reset ${name}`, [], ctx);
  }

  if (path !== undefined) {
    await database.execute(`select set_config('search_path', ?, false)`, [path], ctx);
  }
}

/** Ends a transaction that a migration left open, because nothing can be cleaned up in a failed one. Without a transaction, PostgreSQL only warns. */
async function endTransaction(database: TenantDatabase, ctx: Transaction): Promise<void> {
  await database.execute('rollback', [], ctx);
}

/** @throws Error if the migration left a transaction open. The entry in the history is then part of this transaction. */
async function refuseOpenTransaction(database: TenantDatabase, ctx: Transaction): Promise<void> {
  // a single statement gets a transaction id only when it writes, so an id means an open transaction
  const [row] = await database.execute<{ open: boolean }>('select txid_current_if_assigned() is not null as open', [], ctx);

  if (row?.open === true) {
    throw new Error('it began a transaction and did not end it, so the transaction was rolled back');
  }
}

/**
 * Runs `fn` and then always `cleanUp`. Where that fails, nobody gets the connection with what is left on it, and what `fn` has done is done: the error of
 * the clean-up says nothing of it.
 */
async function withCleanUp<Result>(
  fn: () => Promise<Result>,
  cleanUp: () => Promise<unknown>,
  { database, ctx }: { readonly database: TenantDatabase; readonly ctx: Transaction },
): Promise<Result> {
  try {
    return await fn();
  } finally {
    await cleanUp().catch(() => database.closeAfterUse(ctx));
  }
}

/** The invalid indexes that a failed `create index concurrently` leaves behind. */
async function invalidIndexes(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<string[]> {
  const rows = await database.execute<{ name: string }>(
    'select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid and c.relnamespace = to_regnamespace(?) order by 1',
    [quoteIdentifier(schemaName)],
    ctx,
  );

  return rows.map(row => row.name);
}
