import pRetry from 'p-retry';
import { MigrationError } from '../../errors/index.js';
import { isWorthRetrying } from '../../postgres/sql-state.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { migrateStep } from './migrate-step.js';
import type { MigrationSet, TenantMigration } from '../set/migration-set.js';
import { migrateOnOneConnection, type StepwiseRun } from './non-transactional.js';
import { migrateInOneMessage } from './one-message.js';
import type { MigrationTarget } from './plan.js';
import type { RunSettings } from './run-settings.js';

export interface TenantRun {
  readonly set: MigrationSet;
  readonly target: MigrationTarget;
  /** Time-outs and the like, which hold for each tenant's transaction. */
  readonly settings: RunSettings;
  /** How often what met another session, or lost its connection, is tried again. */
  readonly retries: number;
  /** Aborted, what fails is not tried again. */
  readonly signal?: AbortSignal | undefined;
}

/** A tenant, and what is to run in it on the history it had when the run was planned. */
export interface TenantWork {
  readonly schemaName: string;
  readonly executed: string;
  readonly planned: readonly TenantMigration[];
}

/** The names of the migrations that ran; or that another run has the tenant at this moment. */
export type TenantRunOutcome = readonly string[] | 'busy';

/**
 * Migrates one tenant, in a transaction that holds the tenant's lock: two runs at once never do a tenant twice, and the one that comes
 * second finds nothing left.
 *
 * @throws SchemaMissingError, MigrationError
 */
export async function migrateTenant(database: TenantDatabase, work: TenantWork, run: TenantRun): Promise<TenantRunOutcome> {
  if (await migrateInOneMessage(database, { ...run, ...work })) {
    return work.planned.map(({ name }) => name);
  }

  // over all tries: what one has committed, the next one does not find to do
  const done: string[] = [];

  return pRetry(() => migrateOnce(database, work, { ...run, done }), {
    retries: run.retries,
    minTimeout: 100,
    maxTimeout: 5_000,
    // two that met must not meet again
    randomize: true,
    // the signal itself is not for p-retry: it would give out what has succeeded meanwhile as aborted
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
