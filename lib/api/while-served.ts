import { TenantContextRequiredError } from '../errors/index.js';
import { leaveScope } from '../orm/mikro-context.js';
import type { OrmOption } from '../scope/live-orms.js';
import { keepFlow } from '../scope/async-flow.js';
import { readInThisContext } from '../scope/read-in-scope.js';
import { stateOf } from '../tenant/tenant-state.js';
import { Tenancy } from '../tenancy.js';
import type { TenantEnd } from '../directory/tenant-watch.js';
import { scopeFor } from './run-in.js';

/**
 * Calls `onEnd` once, when the tenant of the current scope is not served any more: it was suspended, put into maintenance, renamed or deleted. It is
 * called within a second of the change, in no scope and in the async context of this call. If it fails, the logger is told why. Call the function that
 * is returned when what is open for the tenant has ended by itself.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` in the public scope and outside any scope.
 */
export function onTenantEnd(onEnd: (end: TenantEnd) => unknown, options?: OrmOption): () => void {
  const scope = scopeFor(options);

  if (scope?.kind !== 'tenant') {
    throw TenantContextRequiredError.noTenant(scope?.kind, 'onTenantEnd()');
  }

  const { schemaName, identity, tenant } = scope;

  return leaveScope(() => Tenancy.of(scope.config).watch.watch({ schemaName, identity, state: stateOf(tenant as object) }, onEnd));
}

/**
 * Reads a source for as long as the tenant of the current scope is served, for example the events of a subscription. Each read is in this scope.
 * When the tenant is not served any more, the reading ends as if the source had ended, and the source is told to stop.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` in the public scope and outside any scope.
 */
export function whileServed<T>(source: AsyncIterable<T>, options?: OrmOption): AsyncGenerator<T, void, undefined> {
  const flow = keepFlow();
  let end: () => void = () => undefined;
  const stop = onTenantEnd(() => flow.runInAsyncScope(end), options);
  const reading = readingOf(source[Symbol.asyncIterator](), stop);
  end = reading.end;

  return readInThisContext(reading);
}

/**
 * Reads items until it is ended, which it can be at any time. A generator that is not begun, or waits for its next item, could not: the watch over
 * the tenant and the source would stay until then. And each item would stay that a `Promise.race()` with the end has given.
 */
function readingOf<T>(items: AsyncIterator<T>, stop: () => void): Reading<T> {
  const waiting = new Set<() => void>();
  let isOver = false;

  const close = (): void => {
    isOver = true;
    stop();
    waiting.forEach(leave => leave());
    waiting.clear();
  };

  const end = (): void => {
    if (!isOver) {
      close();
      // one that waits for its next item ends only then, so it is not waited for
      void (async () => items.return?.())().catch(() => undefined);
    }
  };

  const readNext = (resolve: (next: IteratorResult<T, void>) => void, reject: (error: unknown) => void): void => {
    const leave = (): void => resolve(DONE);

    if (isOver) {
      leave();
      return;
    }

    waiting.add(leave);
    void (async () => items.next())().then(
      next => {
        waiting.delete(leave);

        if (next.done === true) {
          close();
        }

        resolve(next.done === true ? DONE : next);
      },
      (error: unknown) => {
        waiting.delete(leave);
        close();
        reject(error);
      },
    );
  };

  return {
    end,
    next: () => new Promise(readNext),
    return: async () => {
      end();

      return DONE;
    },
    throw: async error => {
      end();
      throw error;
    },
  };
}

const DONE = { value: undefined, done: true } as const;

interface Reading<T> extends Pick<AsyncGenerator<T, void, undefined>, 'next' | 'return' | 'throw'> {
  readonly end: () => void;
}
