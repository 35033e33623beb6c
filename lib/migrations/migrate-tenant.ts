import pRetry from 'p-retry';
import type { Transaction } from '@mikro-orm/core';
import { SchemaMissingError } from '../errors.js';
import { quoteIdentifier } from '../schema-name.js';
import { isWorthRetrying } from '../sql-state.js';
import type { Tenancy } from '../tenancy.js';
import { History } from './history.js';
import { migrateSchema } from './migrate-schema.js';
import type { MigrationSet, TenantMigration } from './migration-set.js';
import { migrateInOneMessage } from './one-message.js';
import { migrateOutsideTransaction } from './non-transactional.js';
import { planMigrations, type MigrationTarget } from './plan.js';

export interface TenantRun {
  readonly set: MigrationSet;
  readonly target: MigrationTarget;
  /** How long a statement waits for a lock that another session holds, in milliseconds. */
  readonly lockTimeoutMs: number;
  /** How long a statement may take, in milliseconds; the server's own setting where it is undefined. */
  readonly statementTimeoutMs: number | undefined;
  /** How often what met another session, or lost its connection, is tried again. */
  readonly retries: number;
  /** Stops the waiting between two tries. */
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
 * second finds nothing left. With `wait: false` it does not wait for the other one.
 *
 * @throws SchemaMissingError, MigrationError
 */
export async function migrateTenant(
  tenancy: Tenancy,
  { schemaName, executed, planned }: TenantWork,
  run: TenantRun,
  { wait }: { readonly wait: boolean },
): Promise<TenantRunOutcome> {
  const quick = await migrateInOneMessage(tenancy, { ...run, schemaName, executed, planned });

  if (quick === 'done') {
    return planned.map(({ name }) => name);
  }

  if (quick === 'busy' && !wait) {
    return 'busy';
  }

  return pRetry(() => migrateOnce(tenancy, schemaName, run, wait), {
    retries: run.retries,
    minTimeout: 100,
    maxTimeout: 5_000,
    // two that met must not meet again
    randomize: true,
    shouldRetry: ({ error }) => isWorthRetrying(error),
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  });
}

/** Takes the tenant's lock for the rest of the transaction; false where another session has it and `wait` is false. */
export async function lockTenant(tenancy: Tenancy, schemaName: string, ctx: Transaction, wait: boolean): Promise<boolean> {
  const [row] = await tenancy.execute<{ locked: boolean }>(`select pg_try_advisory_xact_lock(${LOCK_KEY}) as locked`, [schemaName], ctx);

  if (row?.locked !== true && wait) {
    await tenancy.execute(`select pg_advisory_xact_lock(${LOCK_KEY})`, [schemaName], ctx);
  }

  return row?.locked === true || wait;
}

async function migrateOnce(tenancy: Tenancy, schemaName: string, run: TenantRun, wait: boolean): Promise<TenantRunOutcome> {
  const done: string[] = [];

  // one that cannot run in a transaction ends the one before it, and the rest goes on in another
  for (;;) {
    const step = await inTransaction(tenancy, ctx => migrateStep(tenancy, schemaName, { ...run, wait, ctx }));

    if (step === 'busy') {
      return done.length > 0 ? done : 'busy';
    }

    done.push(...step.done);

    if (step.next === undefined) {
      return done;
    }

    await migrateOutsideTransaction(tenancy, schemaName, step.next, run);
    done.push(step.next.name);

    if (run.target.direction === 'down' && run.target.to === undefined && run.target.only === undefined) {
      return done;
    }
  }
}

interface Step {
  readonly done: readonly string[];
  /** The migration that comes next and cannot run in a transaction. */
  readonly next: TenantMigration | undefined;
}

async function migrateStep(
  tenancy: Tenancy,
  schemaName: string,
  run: TenantRun & { readonly wait: boolean; readonly ctx: Transaction },
): Promise<Step | 'busy'> {
  const { ctx, target, set, wait } = run;
  const state = await openRun(tenancy, schemaName, run);

  if (!state.has_schema) {
    throw new SchemaMissingError(schemaName);
  }

  if (!state.locked && !(await lockTenant(tenancy, schemaName, ctx, wait))) {
    return 'busy';
  }

  // in a statement of its own, that begins under the lock and so sees whatever another run has done
  const history = new History(tenancy, schemaName);
  const executed = state.has_history ? await history.read(ctx) : await history.executed(ctx);
  const planned = planMigrations(
    set,
    executed.map(({ name }) => name),
    target,
  );
  const stop = planned.findIndex(({ transactional }) => !transactional);
  const now = stop === -1 ? planned : planned.slice(0, stop);

  if (now.length > 0) {
    await migrateSchema(tenancy, { schemaName, direction: target.direction, planned: now, ctx, hasHistory: state.has_history });
  }

  return { done: now.map(({ name }) => name), next: stop === -1 ? undefined : planned[stop] };
}

interface OpenedRun {
  readonly locked: boolean;
  readonly has_schema: boolean;
  readonly has_history: boolean;
}

/** Sets the time-outs, which hold for the wait for the tenant's lock too, tries the lock, and looks what is there: in one round trip. */
async function openRun(tenancy: Tenancy, schemaName: string, run: TenantRun & { readonly ctx: Transaction }): Promise<OpenedRun> {
  const { lockTimeoutMs, statementTimeoutMs, ctx } = run;
  const settings = [
    `set_config('lock_timeout', '${Math.round(lockTimeoutMs)}', true)`,
    ...(statementTimeoutMs === undefined ? [] : [`set_config('statement_timeout', '${Math.round(statementTimeoutMs)}', true)`]),
  ];
  const [state] = await tenancy.execute<OpenedRun>(
    `select ${settings.join(', ')}, pg_try_advisory_xact_lock(${LOCK_KEY}) as locked, ` +
      'to_regnamespace(?) is not null as has_schema, to_regclass(?) is not null as has_history',
    [schemaName, quoteIdentifier(schemaName), new History(tenancy, schemaName).table],
    ctx,
  );

  return state ?? { locked: false, has_schema: false, has_history: false };
}

function inTransaction<Result>(tenancy: Tenancy, fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
  return tenancy.orm.em.getConnection('write').transactional(fn);
}

/** Advisory locks are per database; within it, the schema's name is the key. */
export const LOCK_KEY = `hashtextextended('landlord:' || ?, 0)`;
