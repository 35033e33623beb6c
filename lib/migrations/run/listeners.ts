import type { MigrateOptions, RunNotice, RunPlan, TenantRunResult } from './run-types.js';

/** The callbacks of a run. An error in a callback does not end the run, because the tenants in progress would continue unnoticed. It is rethrown at the end. */
export class Listeners {
  readonly #options: Pick<MigrateOptions, 'onPlan' | 'onProgress' | 'onNotice'>;
  readonly #errors: unknown[] = [];

  constructor(options: Pick<MigrateOptions, 'onPlan' | 'onProgress' | 'onNotice'>) {
    this.#options = options;
  }

  plan(plan: RunPlan): void {
    this.#tell(() => this.#options.onPlan?.(plan));
  }

  progress(result: TenantRunResult): void {
    this.#tell(() => this.#options.onProgress?.(result));
  }

  notice(notice: RunNotice): void {
    this.#tell(() => this.#options.onNotice?.(notice));
  }

  /** Throws the first error of a callback. */
  rethrow(): void {
    if (this.#errors.length > 0) {
      throw this.#errors[0];
    }
  }

  #tell(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#errors.push(error);
    }
  }
}
