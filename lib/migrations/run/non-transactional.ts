import type { Transaction } from '@mikro-orm/core';
import { MigrationError } from '../../errors/index.js';
import { quoteIdentifier, searchPathOf } from '../../postgres/schema-name.js';
import { connectionWasLost } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { History } from '../history/history.js';
import { runOnConnection } from './migrate-schema.js';
import { migrateStep } from './migrate-step.js';
import type { TenantRun, TenantRunOutcome, TenantWork } from './migrate-tenant.js';
import type { TenantMigration } from '../set/migration-set.js';
import { isBehindPooler } from '../../connection/pooled-connection.js';
import { tryLockForSession, unlockForSession } from '../../database/tenant-lock.js';

/**
 * Migrates a tenant whose plan has migrations that cannot run in a transaction, on one connection that is its alone and holds the
 * tenant's lock from first to last: those migrations by themselves, and what is between them in transactions.
 *
 * @throws SchemaMissingError, MigrationError that names what stands, or `MIGRATION_NEEDS_SESSION`
 */
export async function migrateOnOneConnection(database: TenantDatabase, work: TenantWork, run: StepwiseRun): Promise<TenantRunOutcome> {
  const { schemaName } = work;

  // behind a transaction pooler it is not one: the path would be set for whoever comes next, and the lock never be given back
  if (await isBehindPooler(database)) {
    throw MigrationError.needsSession(work.planned.find(({ transactional }) => !transactional)?.name ?? '', schemaName);
  }

  return database.onOneConnection(async ctx => {
    if (!(await tryLockForSession(database, schemaName, ctx))) {
      return 'busy';
    }

    return cleaningUp(
      () => migrateStepByStep(database, work, { ...run, ctx }),
      async () => {
        await endTransaction(database, ctx);
        await unlockForSession(database, schemaName, ctx);
      },
    );
  });
}

/** A run that keeps what it has committed in the tenant, for its next try too. */
export type StepwiseRun = TenantRun & { readonly done: string[] };

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

  for (;;) {
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
}

/**
 * Runs one migration statement by statement, with the tenant's path set for the session and reset whatever happens. It is recorded when it
 * has succeeded as a whole; what a failure leaves behind is named, and it is not tried again, as it may be half done.
 */
async function migrateOutsideTransaction(database: TenantDatabase, schemaName: string, migration: TenantMigration, run: PinnedRun): Promise<void> {
  const { ctx, target, settings, done } = run;
  const history = new History(database, schemaName);
  let statement: string | undefined;
  const onStatement = (sql: string): void => {
    statement = sql;
  };

  const migrate = async (): Promise<void> => {
    await database.execute(`set search_path to ${searchPathOf(schemaName, ...database.options.searchPath)}`, [], ctx);

    for (const [name, value] of settings) {
      await database.execute(`set ${name} to ${value}`, [], ctx);
    }

    await runOnConnection(database, migration, { schemaName, direction: target.direction, ctx, onStatement });
    await database.execute(target.direction === 'up' ? history.addSql(migration.name) : history.removeSql(migration.name), [], ctx);
    await refuseOpenTransaction(database, ctx);
  };

  try {
    await cleaningUp(migrate, () => reset(database, ['search_path', ...settings.map(([name]) => name)], ctx));
  } catch (error) {
    const left = connectionWasLost(error) ? [] : await invalidIndexes(database, schemaName, ctx).catch(() => []);
    throw MigrationError.failedOutsideTransaction(migration.name, schemaName, error, { statement, invalidIndexes: left, done });
  }
}

async function reset(database: TenantDatabase, settings: readonly string[], ctx: Transaction): Promise<void> {
  await endTransaction(database, ctx);

  for (const name of settings) {
    await database.execute(`reset ${name}`, [], ctx);
  }
}

/** Ends a transaction that a migration began and left, in which nothing can be cleaned up where it has failed; else a warning nobody sees. */
async function endTransaction(database: TenantDatabase, ctx: Transaction): Promise<void> {
  await database.execute('rollback', [], ctx);
}

/** @throws Error where the migration, and so what records it, is in a transaction that it has not ended. */
async function refuseOpenTransaction(database: TenantDatabase, ctx: Transaction): Promise<void> {
  // a statement by itself is no transaction of a number until it writes
  const [row] = await database.execute<{ open: boolean }>('select txid_current_if_assigned() is not null as open', [], ctx);

  if (row?.open === true) {
    throw new Error('it began a transaction and did not end it, so that was rolled back');
  }
}

/** Runs `fn`, then `cleanUp` whatever happened, unless the connection is gone: then there is nothing to clean, and nothing to do it on. */
async function cleaningUp<Result>(fn: () => Promise<Result>, cleanUp: () => Promise<unknown>): Promise<Result> {
  let result: Result;

  try {
    result = await fn();
  } catch (error) {
    if (!connectionWasLost(error)) {
      // what it failed of is what counts, whatever comes of cleaning up
      await cleanUp().catch(() => undefined);
    }

    throw error;
  }

  await cleanUp();

  return result;
}

/** What `create index concurrently` leaves where it failed. */
async function invalidIndexes(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<string[]> {
  const rows = await database.execute<{ name: string }>(
    'select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid and c.relnamespace = to_regnamespace(?) order by 1',
    [quoteIdentifier(schemaName)],
    ctx,
  );

  return rows.map(row => row.name);
}
