import pMap from 'p-map';
import { MigrationError, RunUsageError, SchemaMissingError } from '../errors.js';
import type { Tenancy } from '../tenancy.js';
import { readHistories, type SchemaHistory } from './histories.js';
import { migrateTenant, type TenantRun } from './migrate-tenant.js';
import { loadMigrationSet, type MigrationSet } from './migration-set.js';
import { checkTarget, planMigrations, unknownMigrations, type MigrationTarget } from './plan.js';
import { requirePublicSet, selectSchemaNames, type TenantSelection } from './selection.js';

export interface MigrateOptions extends TenantSelection {
  /** @default 'up' */
  readonly direction?: 'up' | 'down';
  /** Up: the last migration to run. Down: the last one to keep; `0` keeps none. Down without it reverts one. */
  readonly to?: string | 0;
  /** Up only: the migration after which to begin. */
  readonly from?: string;
  /** These migrations and no others. */
  readonly migrations?: readonly string[];
  /** Whether to run though the public set is behind. @default false */
  readonly skipPublicCheck?: boolean;
  /** How many tenants at once. Each holds a connection of the pool. @default what the pool has, 1 on PGlite */
  readonly concurrency?: number;
  /** How long a statement waits for a lock that another session holds, in milliseconds. @default 5000 */
  readonly lockTimeoutMs?: number;
  /** How long a statement may take, in milliseconds. @default the server's own setting */
  readonly statementTimeoutMs?: number;
  /** How often a tenant that met another session is tried again. @default 3 */
  readonly retries?: number;
  /** Stop after so many failures: what is in flight is finished, the rest is not begun. @default never */
  readonly maxFailures?: number;
  /** These first, by schema name or that many of them; if one fails, no other is begun. */
  readonly canary?: number | readonly string[];
  /** Aborted, what is in flight is finished and the rest is not begun. */
  readonly signal?: AbortSignal;
  /** Told how many there are, before the first is begun. */
  readonly onPlan?: (plan: RunPlan) => void;
  /** Told of each tenant when it is done. */
  readonly onProgress?: (result: TenantRunResult) => void;
}

/** What a run found to do. */
export interface RunPlan {
  readonly total: number;
  /** Tenants that have nothing to do. */
  readonly upToDate: number;
  /** Schema names, by what is to run in them. */
  readonly work: readonly { readonly schemaName: string; readonly migrations: readonly string[] }[];
}

/** What a run did in one tenant's schema. Tenants with nothing to do have no result of their own. */
export type TenantRunResult = { readonly schemaName: string; readonly durationMs: number } & (
  | { readonly ok: true; readonly migrations: readonly string[] }
  | { readonly ok: false; readonly error: unknown }
);

export type TenantRunFailure = Extract<TenantRunResult, { ok: false }>;

/** What a run did. */
export interface RunResult {
  readonly total: number;
  /** How many had nothing to do, at the start or because another run had done it. */
  readonly upToDate: number;
  readonly migrated: readonly Extract<TenantRunResult, { ok: true }>[];
  readonly failed: readonly TenantRunFailure[];
  /** Schema names that were not begun, as the run was stopped. */
  readonly notBegun: readonly string[];
  /** Tenants whose history names migrations that the set does not have. */
  readonly unknown: readonly { readonly schemaName: string; readonly migrations: readonly string[] }[];
  readonly durationMs: number;
}

/**
 * Runs the tenant set in every selected tenant, a bounded number at once, each in a transaction of its own under the tenant's lock.
 * One look at all histories says where there is anything to do. A tenant that fails is rolled back and reported, and the rest go on.
 *
 * @throws UnknownTenantError, MigrationError, RunUsageError before anything runs.
 */
export async function migrateTenants(tenancy: Tenancy, options: MigrateOptions = {}): Promise<RunResult> {
  const start = performance.now();
  const target = targetOf(options);
  const set = await loadMigrationSet(tenancy);
  checkTarget(set, target);

  if (target.direction === 'up' && options.skipPublicCheck !== true) {
    await requirePublicSet(tenancy);
  }

  const { plan, unknown, failed } = await planRun(tenancy, set, target, await selectSchemaNames(tenancy, options));
  const canary = canaryOf(plan, options.canary);
  const run = new Run(tenancy, { set, target, options, failed });
  options.onPlan?.(plan);
  failed.forEach(result => options.onProgress?.(result));
  await run.migrate(canary);

  // a canary that fails has done its work: nobody else meets what killed it
  if (run.failures === failed.length || canary.length === 0) {
    await run.migrate(plan.work.map(({ schemaName }) => schemaName).filter(name => !canary.includes(name)));
  }

  return run.result(plan, unknown, performance.now() - start);
}

/** What `migrateTenants` would find to do. Changes nothing. */
export async function planRun(
  tenancy: Tenancy,
  set: MigrationSet,
  target: MigrationTarget,
  schemaNames: readonly string[],
): Promise<{ plan: RunPlan; unknown: { schemaName: string; migrations: string[] }[]; failed: TenantRunFailure[] }> {
  const plans = new Map<string, ReturnType<typeof planOf>>();
  const work: { schemaName: string; migrations: readonly string[] }[] = [];
  const unknown: { schemaName: string; migrations: string[] }[] = [];
  const failed: TenantRunFailure[] = [];

  for await (const batch of readHistories(tenancy, schemaNames)) {
    for (const { schemaName, executed, hasSchema } of batch) {
      // most tenants have the same history, and it is planned once
      const plan = plans.get(executed) ?? planOf(set, target, executed);
      plans.set(executed, plan);

      if (!hasSchema) {
        failed.push({ schemaName, ok: false, durationMs: 0, error: new SchemaMissingError(schemaName) });
      } else if (plan.error !== undefined) {
        failed.push({ schemaName, ok: false, durationMs: 0, error: plan.error });
      } else if (plan.migrations.length > 0) {
        work.push({ schemaName, migrations: plan.migrations });
      }

      if (plan.unknown.length > 0) {
        unknown.push({ schemaName, migrations: plan.unknown });
      }
    }
  }

  return { plan: { total: schemaNames.length, upToDate: schemaNames.length - work.length - failed.length, work }, unknown, failed };
}

export function namesOf(history: Pick<SchemaHistory, 'executed'>): string[] {
  return history.executed === '' ? [] : history.executed.split('\n').map(name => name.replace(/\.[jt]s$/, ''));
}

function planOf(
  set: MigrationSet,
  target: MigrationTarget,
  executed: string,
): { migrations: readonly string[]; unknown: string[]; error: MigrationError | undefined } {
  const names = namesOf({ executed });
  const unknown = unknownMigrations(set, names);
  const last = names.at(-1);

  return {
    migrations: planMigrations(set, names, target).map(({ name }) => name),
    unknown,
    // what came last is what has to be reverted first, and it is not here
    error:
      target.direction === 'down' && target.only === undefined && last !== undefined && unknown.includes(last)
        ? MigrationError.unknownInHistory(last)
        : undefined,
  };
}

class Run {
  readonly #tenancy: Tenancy;
  readonly #options: MigrateOptions;
  readonly #run: TenantRun;
  readonly #migrated: Extract<TenantRunResult, { ok: true }>[] = [];
  readonly #failed: TenantRunFailure[];
  readonly #begun = new Set<string>();

  constructor(
    tenancy: Tenancy,
    { set, target, options, failed }: { set: MigrationSet; target: MigrationTarget; options: MigrateOptions; failed: readonly TenantRunFailure[] },
  ) {
    this.#tenancy = tenancy;
    this.#options = options;
    this.#failed = [...failed];
    this.#run = {
      set,
      target,
      lockTimeoutMs: options.lockTimeoutMs ?? DEFAULTS.lockTimeoutMs,
      statementTimeoutMs: options.statementTimeoutMs,
      retries: options.retries ?? DEFAULTS.retries,
      signal: options.signal,
    };
  }

  get failures(): number {
    return this.#failed.length;
  }

  /** Migrates these; those that another run has at the moment are left for the end, and then waited for. */
  async migrate(schemaNames: readonly string[]): Promise<void> {
    const busy: string[] = [];
    await this.#each(schemaNames, async schemaName => {
      if ((await this.#migrateOne(schemaName, false)) === 'busy') {
        busy.push(schemaName);
      }
    });
    await this.#each(busy, schemaName => this.#migrateOne(schemaName, true));
  }

  result(plan: RunPlan, unknown: RunResult['unknown'], durationMs: number): RunResult {
    const byName = (a: { schemaName: string }, b: { schemaName: string }): number => (a.schemaName < b.schemaName ? -1 : 1);
    const migrated = this.#migrated.filter(({ migrations }) => migrations.length > 0).toSorted(byName);

    return {
      total: plan.total,
      upToDate: plan.upToDate + this.#migrated.length - migrated.length,
      migrated,
      failed: this.#failed.toSorted(byName),
      notBegun: plan.work.map(({ schemaName }) => schemaName).filter(name => !this.#begun.has(name)),
      unknown,
      durationMs,
    };
  }

  async #each(schemaNames: readonly string[], fn: (schemaName: string) => Promise<unknown>): Promise<void> {
    await pMap(schemaNames, async schemaName => (this.#isStopped() ? undefined : fn(schemaName)), { concurrency: this.#concurrency() });
  }

  async #migrateOne(schemaName: string, wait: boolean): Promise<'busy' | 'done'> {
    const start = performance.now();
    this.#begun.add(schemaName);

    try {
      const migrations = await migrateTenant(this.#tenancy, schemaName, this.#run, { wait });

      if (migrations === 'busy') {
        return 'busy';
      }

      const result = { schemaName, ok: true, migrations, durationMs: performance.now() - start } as const;
      this.#migrated.push(result);
      this.#options.onProgress?.(result);
    } catch (error) {
      const result = { schemaName, ok: false, error, durationMs: performance.now() - start } as const;
      this.#failed.push(result);
      this.#options.onProgress?.(result);
    }

    return 'done';
  }

  #isStopped(): boolean {
    return this.#options.signal?.aborted === true || this.failures >= (this.#options.maxFailures ?? Infinity);
  }

  #concurrency(): number {
    const { config } = this.#tenancy.orm;
    const onOneConnection = config.get('driver')?.name.startsWith('Pglite') === true || this.#tenancy.isInTransaction();

    // `pg` has ten connections in a pool that says nothing
    return onOneConnection ? 1 : (this.#options.concurrency ?? config.get('pool').max ?? 10);
  }
}

function canaryOf({ work }: RunPlan, canary: MigrateOptions['canary']): readonly string[] {
  const names = work.map(({ schemaName }) => schemaName);

  return typeof canary === 'number' ? names.slice(0, canary) : names.filter(name => canary?.includes(name) === true);
}

export function targetOf(options: MigrateOptions): MigrationTarget {
  const { direction = 'up', to, from, migrations, concurrency, maxFailures } = options;

  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency > 0)) {
    throw new RunUsageError('concurrency', concurrency, 'a whole number above 0');
  }

  if (maxFailures !== undefined && !(Number.isInteger(maxFailures) && maxFailures > 0)) {
    throw new RunUsageError('maxFailures', maxFailures, 'a whole number above 0');
  }

  return {
    direction,
    ...(to === undefined ? {} : { to }),
    ...(from === undefined ? {} : { from }),
    ...(migrations === undefined ? {} : { only: migrations }),
  };
}

const DEFAULTS = { lockTimeoutMs: 5_000, retries: 3 } as const;
