import pRetry from 'p-retry';
import { MigrationError } from '../../errors/index.js';
import { hasSqlState, isConflict, isLockTimeout, isUnreachable } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { migrateStep, type Step } from './migrate-step.js';
import { migrateOnOneConnection, type StepwiseRun } from './non-transactional.js';
import { migrateInOneMessage } from './one-message.js';
import type { Way } from './script.js';
import type { TenantRunOutcome, TenantWork } from './tenant-run.js';

/**
 * Migrates one tenant in a transaction that holds the tenant's lock. So two concurrent runs never migrate a tenant twice: the second one
 * finds nothing left to do.
 *
 * The first attempt is the fastest, and its failure does not tell which statement has failed. Unless it is one of the database or of a lock, or
 * took long, there is one more to find it. With `namesStatements`, the first attempt tells it. `run.done` is shared by all attempts at the tenant,
 * because an attempt does not repeat what an earlier one has committed.
 *
 * @throws SchemaMissingError, MigrationError
 */
export async function migrateTenant(database: TenantDatabase, work: TenantWork, run: StepwiseRun): Promise<TenantRunOutcome> {
  let way: Way = isCutShort(run.sharedError) ? 'singly' : 'block';

  if (!run.namesStatements && run.sharedError === undefined) {
    const start = performance.now();

    try {
      const outcome = await migrateInOneMessage(database, work, run);

      if (outcome === 'done') {
        return work.planned.map(({ name }) => name);
      }

      if (outcome === 'busy') {
        return outcome;
      }
    } catch (error) {
      // tried again later, or not worth its time
      if (isUnreachable(error) || isLockTimeout(error) || performance.now() - start > LONGEST_TO_REPEAT_MS) {
        throw error;
      }

      way = isCutShort(error) ? 'singly' : 'block';
    }
  }

  return pRetry(
    async () => {
      try {
        return await migrateOnce(database, work, run, way);
      } catch (error) {
        if (way === 'block' && isCutShort(error)) {
          way = 'singly';

          return migrateOnce(database, work, run, way);
        }

        throw error;
      }
    },
    {
      retries: run.retries,
      minTimeout: 100,
      maxTimeout: 5_000,
      // two runs that collided must not collide again
      randomize: true,
      // the signal is not passed to p-retry, which would report an attempt that has succeeded meanwhile as aborted
      shouldRetry: ({ error }) => run.signal?.aborted !== true && isConflict(error) && !isHalfDone(error),
    },
  );
}

/** Whether work in progress would be left behind if the error were ignored. */
export function isHalfDone(error: unknown): boolean {
  return error instanceof MigrationError && !error.isRolledBack;
}

function isCutShort(error: unknown): boolean {
  return hasSqlState(error, CANCELED) && !isHalfDone(error);
}

async function migrateOnce(database: TenantDatabase, work: TenantWork, run: StepwiseRun, way: Way): Promise<TenantRunOutcome> {
  let step: Step | 'busy';

  try {
    step = await database.inTransaction(async ctx => migrateStep(database, work, { ...run, ctx, whole: true, way }));
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

/** A failed attempt that took longer is not repeated to find the statement. */
export const LONGEST_TO_REPEAT_MS = 60_000;

/** Query canceled, as by `statement_timeout`. */
const CANCELED = ['57014'] as const;

/** Unsafe new enum value usage. */
const UNCOMMITTED_ENUM_VALUE = ['55P04'] as const;
