import { AsyncLocalStorage } from 'node:async_hooks';
import { withScope, type Scope } from './scope.js';

/** Reads a generator as if each read were made in the scope it was opened in. */
export function readInScope<T>(source: AsyncGenerator<T>, scope: Scope | undefined): AsyncGenerator<T> {
  return readVia(source, fn => withScope(scope, fn));
}

/** Reads a generator as if each read were made where it was opened, in all that a flow carries along. */
export function readThere<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  return readVia(source, AsyncLocalStorage.snapshot());
}

function readVia<T>(source: AsyncGenerator<T>, via: <Result>(fn: () => Result) => Result): AsyncGenerator<T> {
  return {
    next: (...args) => via(() => source.next(...args)),
    return: value => via(() => source.return(value)),
    throw: error => via(() => source.throw(error)),
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return(undefined);
    },
  };
}
