import type { MigrateOptions, RunPlan, TenantRunResult } from './run-types.js';

/** Who is told of a run. One that throws does not end it, or what is in flight would go on unseen; it has its say when the run is over. */
export class Listeners {
  readonly #options: Pick<MigrateOptions, 'onPlan' | 'onProgress'>;
  readonly #errors: unknown[] = [];

  constructor(options: Pick<MigrateOptions, 'onPlan' | 'onProgress'>) {
    this.#options = options;
  }

  plan(plan: RunPlan): void {
    this.#tell(() => this.#options.onPlan?.(plan));
  }

  progress(result: TenantRunResult): void {
    this.#tell(() => this.#options.onProgress?.(result));
  }

  /** Throws the first of what they have thrown. */
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
