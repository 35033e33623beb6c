import pRetry from 'p-retry';
import { MigrationError } from '../../errors/index.js';
import { isWorthRetrying } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { migrateStep } from './migrate-step.js';
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
  const step = await database.inTransaction(async ctx => migrateStep(database, work, { ...run, ctx, whole: true }));

  if (step === 'busy') {
    return step;
  }

  return step.next === undefined ? [...run.done, ...step.done] : migrateOnOneConnection(database, work, run);
}
