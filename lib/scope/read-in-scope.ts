import { keepFlow } from './async-flow.js';
import { withScope, type Scope } from './scope.js';

/** Wraps a generator so that each read runs in the given scope, and else in the async context of this call. */
export function readInScope<T>(source: Reads<T>, scope: Scope | undefined): AsyncGenerator<T> {
  return withScope(scope, () => readInThisContext(source));
}

/** Wraps a generator so that each read runs in the async context of this call: its scope, its transaction, and every other AsyncLocalStorage. */
export function readInThisContext<T>(source: Reads<T>): AsyncGenerator<T> {
  const flow = keepFlow();

  return {
    // every row comes here
    next: (...args) => flow.runInAsyncScope(source.next, source, ...args),
    return: value => flow.runInAsyncScope(source.return, source, value),
    throw: error => flow.runInAsyncScope(source.throw, source, error),
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return(undefined);
    },
  };
}

type Reads<T> = Pick<AsyncGenerator<T>, 'next' | 'return' | 'throw'>;
