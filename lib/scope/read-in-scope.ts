import { keepFlow } from './async-flow.js';
import { withScope, type Scope } from './scope.js';

/** Wraps a generator so that each read runs in the given scope. */
export function readInScope<T>(source: AsyncGenerator<T>, scope: Scope | undefined): AsyncGenerator<T> {
  return wrapReads(source, fn => withScope(scope, fn));
}

/** Wraps a generator so that each read runs in the async context of this call: its scope, its transaction, and every other AsyncLocalStorage. */
export function readInThisContext<T>(source: Reads<T>): AsyncGenerator<T> {
  const flow = keepFlow();

  return wrapReads(source, fn => flow.runInAsyncScope(fn));
}

function wrapReads<T>(source: Reads<T>, runRead: <Result>(fn: () => Result) => Result): AsyncGenerator<T> {
  return {
    next: (...args) => runRead(() => source.next(...args)),
    return: value => runRead(() => source.return(value)),
    throw: error => runRead(() => source.throw(error)),
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return(undefined);
    },
  };
}

type Reads<T> = Pick<AsyncGenerator<T>, 'next' | 'return' | 'throw'>;
