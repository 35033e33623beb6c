import type { Listeners } from './listeners.js';
import type { PlannedRun } from './plan-run.js';
import type { MigrateOptions, RunResult, RunStop, TenantRunFailure, TenantRunResult } from './run-types.js';
import { causeOf } from './same-cause.js';

/** What became of the tenants of a run, and whether it has to stop for it. */
export class RunResults {
  readonly #options: MigrateOptions;
  readonly #listeners: Listeners;
  readonly #migrated = new Map<string, Extract<TenantRunResult, { ok: true }>>();
  readonly #failed: TenantRunFailure[] = [];
  readonly #gone: string[] = [];
  /** The former names of tenants that were renamed, by their new ones. */
  readonly #formerNames = new Map<string, string>();
  /** How many tenants in a row have failed for the same cause. */
  #equalFailures = { cause: '', count: 0 };
  #stop: RunStop | undefined;

  constructor(options: MigrateOptions, listeners: Listeners) {
    this.#options = options;
    this.#listeners = listeners;
  }

  migrated(schemaName: string, migrations: readonly string[], durationMs: number): void {
    const result = { schemaName, ok: true, migrations, durationMs } as const;
    this.#migrated.set(schemaName, result);
    this.#equalFailures = { cause: '', count: 0 };
    this.#listeners.progress(result);
  }

  failed(schemaName: string, error: unknown, durationMs: number): void {
    const cause = causeOf(error, schemaName);
    this.#equalFailures = { cause, count: cause === this.#equalFailures.cause ? this.#equalFailures.count + 1 : 1 };
    this.refused(schemaName, error, durationMs);
  }

  /** A failure that says nothing of the other tenants. */
  refused(schemaName: string, error: unknown, durationMs = 0): void {
    const failure = { schemaName, ok: false, error, durationMs } as const;
    this.#failed.push(failure);
    this.#listeners.progress(failure);
  }

  /** The tenant was deleted since the plan, or deleted or renamed before its history was read. */
  gone(schemaName: string): void {
    this.#gone.push(schemaName);
    this.#listeners.notice({ kind: 'gone', schemaName });
  }

  /** The tenant was renamed since the plan, and goes on under its new name. */
  renamed(schemaName: string, { schemaName: to, plannedName }: { readonly schemaName: string; readonly plannedName: string }): void {
    this.#formerNames.set(to, plannedName);
    this.#listeners.notice({ kind: 'renamed', schemaName, to });
  }

  /** Tenants that were migrated, and are not any more. */
  lost(schemaNames: readonly string[]): void {
    schemaNames.forEach(schemaName => this.#migrated.delete(schemaName));
  }

  hasFailed(schemaNames: ReadonlySet<string>): boolean {
    return this.#failed.some(({ schemaName }) => schemaNames.has(this.#plannedName(schemaName)));
  }

  stopFor(stop: RunStop): void {
    this.#stop ??= stop;
  }

  isStopped(): boolean {
    const { signal, maxFailures = Infinity, maxEqualFailures = DEFAULT_MAX_EQUAL_FAILURES } = this.#options;

    if (signal?.aborted === true) {
      this.stopFor({ reason: 'aborted' });
    } else if (this.#failed.length >= maxFailures) {
      this.stopFor({ reason: 'failures' });
    } else if (maxEqualFailures > 0 && this.#equalFailures.count >= maxEqualFailures && this.#migrated.size === 0) {
      this.stopFor({ reason: 'equal failures' });
    }

    return this.#stop !== undefined;
  }

  /** The name that a tenant had in the plan. */
  #plannedName(schemaName: string): string {
    return this.#formerNames.get(schemaName) ?? schemaName;
  }

  of({ total, unread, work, refused, unknown }: PlannedRun, unconfirmed: readonly string[], durationMs: number): RunResult {
    const visited = [...this.#migrated.values()];
    const migrated = visited.filter(({ migrations }) => migrations.length > 0).toSorted(byName);
    const finished = new Set([
      ...[...visited, ...this.#failed].map(({ schemaName }) => this.#plannedName(schemaName)),
      ...this.#gone.map(name => this.#plannedName(name)),
    ]);
    const notBegun = [...work.map(({ schemaName }) => schemaName).filter(name => !finished.has(name)), ...unread];

    return {
      total,
      upToDate: total - unread.length - work.length - refused.length + visited.length - migrated.length,
      migrated,
      failed: this.#failed.toSorted(byName),
      gone: this.#gone.toSorted(),
      notBegun,
      unconfirmed: unconfirmed.toSorted(),
      unknown,
      // what came after the last tenant has stopped nothing
      ...((notBegun.length > 0 || unconfirmed.length > 0) && this.isStopped() && this.#stop !== undefined ? { stopped: this.#stop } : {}),
      durationMs,
    };
  }
}

export function byName(a: { readonly schemaName: string }, b: { readonly schemaName: string }): number {
  return a.schemaName < b.schemaName ? -1 : 1;
}

/** As many failures of one cause, with no tenant migrated, are not the tenants' fault. */
const DEFAULT_MAX_EQUAL_FAILURES = 10;
