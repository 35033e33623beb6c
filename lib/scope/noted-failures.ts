import type { TenantFailure } from '../tenant/hook-options.js';

/** Failures that are noted where they happen, in a transaction that is still open, and told when it has ended. */
export class NotedFailures {
  /** Tells of a failure. Undefined where nobody is to be told. Set when the ORM is made. */
  tell: ((failure: TenantFailure) => Promise<void>) | undefined;
  readonly #noted = new WeakMap<object, Omit<TenantFailure, 'error'>>();

  note(error: unknown, failure: Omit<TenantFailure, 'error'>): void {
    if (this.tell !== undefined && typeof error === 'object' && error !== null && !this.#noted.has(error)) {
      this.#noted.set(error, failure);
    }
  }

  /** Says that a failure is thrown on as another error. */
  pass(error: unknown, explained: unknown): void {
    const failure = typeof error === 'object' && error !== null ? this.#noted.get(error) : undefined;

    if (failure !== undefined && explained !== error) {
      this.#noted.delete(error as object);
      this.note(explained, failure);
    }
  }

  /** Runs `fn`, and notes its failure. */
  async noting<Result>(failure: Omit<TenantFailure, 'error'>, fn: () => Promise<Result>): Promise<Result> {
    try {
      return await fn();
    } catch (error) {
      this.note(error, failure);
      throw error;
    }
  }

  /** Runs `fn`, and tells what was noted of its failure. */
  async during<Result>(fn: () => Promise<Result>): Promise<Result> {
    if (this.tell === undefined) {
      return fn();
    }

    try {
      return await fn();
    } catch (error) {
      const failure = typeof error === 'object' && error !== null ? this.#noted.get(error) : undefined;

      if (failure !== undefined) {
        this.#noted.delete(error as object);
        await this.tell({ ...failure, error });
      }

      throw error;
    }
  }
}
