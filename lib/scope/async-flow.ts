import { AsyncResource } from 'node:async_hooks';

/** An async flow with all that it has in its AsyncLocalStorages: its scope, its transaction, and those of the application. */
export type AsyncFlow = Pick<AsyncResource, 'runInAsyncScope'>;

/**
 * Keeps the flow of this call, for work that goes on in it later. `AsyncLocalStorage.snapshot()` and `AsyncResource.bind()` keep it too. But they
 * give each function accessors of its own, and so a hidden class of its own in V8. That one holds the flow, with the request and its entities,
 * until the next full garbage collection.
 */
export function keepFlow(): AsyncFlow {
  return new AsyncResource('landlord.flow');
}
