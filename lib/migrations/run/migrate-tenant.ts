import pRetry from 'p-retry';
import { MigrationError } from '../../errors/index.js';
import { hasSqlState, isWorthRetrying } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { migrateStep, type Step } from './migrate-step.js';
import { migrateOnOneConnection, type StepwiseRun } from './non-transactional.js';
import { migrateInOneMessage } from './one-message.js';
import type { TenantRun, TenantRunOutcome, TenantWork } from './tenant-run.js';

/**
 * Migrates one tenant in a transaction that holds the tenant's lock. So two concurrent runs never migrate a tenant twice: the second one
 * finds nothing left to do.
 *
 * @throws SchemaMissingError, MigrationError
 */
export async function migrateTenant(database: TenantDatabase, work: TenantWork, run: TenantRun): Promise<TenantRunOutcome> {
  if (await migrateInOneMessage(database, { ...run, ...work })) {
    return work.planned.map(({ name }) => name);
  }

  // shared by all attempts, because an attempt does not repeat what an earlier one has committed
  const done: string[] = [];

  return pRetry(() => migrateOnce(database, work, { ...run, done }), {
    retries: run.retries,
    minTimeout: 100,
    maxTimeout: 5_000,
    // two runs that collided must not collide again
    randomize: true,
    // the signal is not passed to p-retry, which would report an attempt that has succeeded meanwhile as aborted
    shouldRetry: ({ error }) => run.signal?.aborted !== true && isWorthRetrying(error) && !isHalfDone(error),
  });
}

function isHalfDone(error: unknown): boolean {
  return error instanceof MigrationError && !error.isRolledBack;
}

async function migrateOnce(database: TenantDatabase, work: TenantWork, run: StepwiseRun): Promise<TenantRunOutcome> {
  let step: Step | 'busy';

  try {
    step = await database.inTransaction(async ctx => migrateStep(database, work, { ...run, ctx, whole: true }));
  } catch (error) {
    if (hasSqlState(error, UNCOMMITTED_ENUM_VALUE) && work.planned.length > 1) {
      return migrateOneByOne(database, work, run);
    }

    throw error;
  }

  if (step === 'busy') {
    return step;
  }

  return step.next === undefined ? [...run.done, ...step.done] : migrateOnOneConnection(database, work, run);
}

/** Migrates each in a transaction of its own. PostgreSQL lets nobody use a value of an enum before the transaction that added it has ended. */
async function migrateOneByOne(database: TenantDatabase, work: TenantWork, run: StepwiseRun): Promise<TenantRunOutcome> {
  for (;;) {
    let step: Step | 'busy';

    try {
      step = await database.inTransaction(async ctx => migrateStep(database, work, { ...run, ctx, whole: false, atMost: 1 }));
    } catch (error) {
      throw error instanceof MigrationError ? error.after(run.done, work.schemaName) : error;
    }

    if (step === 'busy') {
      return step;
    }

    run.done.push(...step.done);

    if (step.next !== undefined && !step.next.transactional) {
      return migrateOnOneConnection(database, work, run);
    }

    if (step.next === undefined) {
      return run.done;
    }
  }
}

/** Unsafe new enum value usage. */
const UNCOMMITTED_ENUM_VALUE = ['55P04'] as const;
