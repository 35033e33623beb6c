import pRetry from 'p-retry';
import { MigrationError } from '../../errors/index.js';
import { isWorthRetrying } from '../../postgres/sql-state.js';
import type { Tenancy } from '../../tenancy.js';
import { migrateStep } from './migrate-step.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';
import { migrateOnOneConnection, type StepwiseRun } from './non-transactional.js';
import { migrateInOneMessage } from './one-message.js';
import type { MigrationTarget } from './plan.js';
import type { RunSettings } from './run-settings.js';

export interface TenantRun {
  readonly set: MigrationSet;
  readonly target: MigrationTarget;
  /** Settings such as time-outs, for the transaction of each tenant. */
  readonly settings: RunSettings;
  /** How often a tenant is retried after a conflict with another session or a lost connection. */
  readonly retries: number;
  /** After an abort, failures are not retried. */
  readonly signal?: AbortSignal | undefined;
}

/** A tenant, its history when the run was planned, and the migrations that were planned from it. */
export interface TenantWork {
  readonly schemaName: string;
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/** The names of the migrations that ran, or `'busy'` if another run has locked the tenant. */
export type TenantRunOutcome = readonly string[] | 'busy';

/**
 * Migrates one tenant in a transaction that holds the tenant's lock. So two concurrent runs never migrate a tenant twice: the second one
 * finds nothing left to do.
 *
 * @throws SchemaMissingError, MigrationError
 */
export async function migrateTenant(tenancy: Tenancy, work: TenantWork, run: TenantRun): Promise<TenantRunOutcome> {
  if (await migrateInOneMessage(tenancy, { ...run, ...work })) {
    return work.planned.map(({ name }) => name);
  }

  // shared by all attempts, because an attempt does not repeat what an earlier one has committed
  const done: string[] = [];

  return pRetry(() => migrateOnce(tenancy, work, { ...run, done }), {
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

async function migrateOnce(tenancy: Tenancy, work: TenantWork, run: StepwiseRun): Promise<TenantRunOutcome> {
  const step = await tenancy.inTransaction(async ctx => migrateStep(tenancy, work, { ...run, ctx, whole: true }));

  if (step === 'busy') {
    return step;
  }

  return step.next === undefined ? [...run.done, ...step.done] : migrateOnOneConnection(tenancy, work, run);
}
