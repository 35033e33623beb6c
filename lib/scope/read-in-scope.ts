import { withScope, type Scope } from './scope.js';

/** Reads a generator as if each read were made in the scope it was opened in. */
export function readInScope<T>(source: AsyncGenerator<T>, scope: Scope | undefined): AsyncGenerator<T> {
  return {
    next: (...args) => withScope(scope, () => source.next(...args)),
    return: value => withScope(scope, () => source.return(value)),
    throw: error => withScope(scope, () => source.throw(error)),
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return(undefined);
    },
  };
}
