import pMap from 'p-map';
import { RunUsageError } from '../errors.js';
import type { Tenancy } from '../tenancy.js';
import { migrateTenant, type TenantRun, type TenantWork } from './migrate-tenant.js';
import { loadMigrationSet, type MigrationSet } from './migration-set.js';
import { checkTarget, type MigrationTarget } from './plan.js';
import { planRun, type PlannedRun } from './plan-run.js';
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
  /** How many have nothing to do. */
  readonly upToDate: number;
  /** How many have something to do. */
  readonly work: number;
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

  const plan = await planRun(tenancy, set, target, await selectSchemaNames(tenancy, options));
  const { total, work, refused } = plan;
  options.onPlan?.({ total, upToDate: total - work.length - refused.length, work: work.length });
  const run = new Run(tenancy, { set, target, options });
  refused.forEach(({ schemaName, error }) => run.fail(schemaName, error, 0));
  const canary = canaryOf(work, options.canary);
  await run.migrate(canary);

  // a canary that fails has done its work: nobody else meets what killed it
  if (canary.length === 0 || run.failures === refused.length) {
    await run.migrate(work.filter(each => !canary.includes(each)));
  }

  return run.result(plan, performance.now() - start);
}

class Run {
  readonly #tenancy: Tenancy;
  readonly #options: MigrateOptions;
  readonly #run: TenantRun;
  readonly #migrated: Extract<TenantRunResult, { ok: true }>[] = [];
  readonly #failed: TenantRunFailure[] = [];
  readonly #begun = new Set<string>();

  constructor(
    tenancy: Tenancy,
    { set, target, options }: { readonly set: MigrationSet; readonly target: MigrationTarget; readonly options: MigrateOptions },
  ) {
    this.#tenancy = tenancy;
    this.#options = options;
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
  async migrate(work: readonly TenantWork[]): Promise<void> {
    const busy: TenantWork[] = [];
    await this.#each(work, async each => {
      if ((await this.#migrateOne(each, false)) === 'busy') {
        busy.push(each);
      }
    });
    await this.#each(busy, each => this.#migrateOne(each, true));
  }

  fail(schemaName: string, error: unknown, durationMs: number): void {
    const result = { schemaName, ok: false, error, durationMs } as const;
    this.#failed.push(result);
    this.#options.onProgress?.(result);
  }

  result({ total, work, refused, unknown }: PlannedRun, durationMs: number): RunResult {
    const migrated = this.#migrated.filter(({ migrations }) => migrations.length > 0).toSorted(byName);

    return {
      total,
      upToDate: total - work.length - refused.length + this.#migrated.length - migrated.length,
      migrated,
      failed: this.#failed.toSorted(byName),
      notBegun: work.map(({ schemaName }) => schemaName).filter(name => !this.#begun.has(name)),
      unknown,
      durationMs,
    };
  }

  async #each(work: readonly TenantWork[], fn: (work: TenantWork) => Promise<unknown>): Promise<void> {
    await pMap(work, async each => (this.#isStopped() ? undefined : fn(each)), { concurrency: this.#concurrency() });
  }

  async #migrateOne(work: TenantWork, wait: boolean): Promise<'busy' | 'done'> {
    const { schemaName } = work;
    const start = performance.now();
    this.#begun.add(schemaName);

    try {
      const migrations = await migrateTenant(this.#tenancy, work, this.#run, { wait });

      if (migrations === 'busy') {
        return 'busy';
      }

      const result = { schemaName, ok: true, migrations, durationMs: performance.now() - start } as const;
      this.#migrated.push(result);
      this.#options.onProgress?.(result);
    } catch (error) {
      this.fail(schemaName, error, performance.now() - start);
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

function canaryOf(work: readonly TenantWork[], canary: MigrateOptions['canary']): readonly TenantWork[] {
  return typeof canary === 'number' ? work.slice(0, canary) : work.filter(({ schemaName }) => canary?.includes(schemaName) === true);
}

function byName(a: { readonly schemaName: string }, b: { readonly schemaName: string }): number {
  return a.schemaName < b.schemaName ? -1 : 1;
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
