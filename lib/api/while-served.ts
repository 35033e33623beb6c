import { TenantContextRequiredError } from '../errors/index.js';
import { leaveScope } from '../orm/mikro-context.js';
import type { OrmOption } from '../scope/live-orms.js';
import { readInThisContext } from '../scope/read-in-scope.js';
import { stateOf } from '../tenant/tenant-state.js';
import { Tenancy } from '../tenancy.js';
import type { TenantEnd } from '../directory/tenant-watch.js';
import { scopeFor } from './run-in.js';

/**
 * Calls `onEnd` once, when the tenant of the current scope is not served any more: it was suspended, put into maintenance, renamed or deleted. It is
 * called within a second of the change, in no scope. Call the function that is returned when what is open for the tenant has ended by itself.
 *
 * @throws TenantContextRequiredError `TENANT_CONTEXT_REQUIRED` in the public scope and outside any scope.
 */
export function onTenantEnd(onEnd: (end: TenantEnd) => void, options?: OrmOption): () => void {
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
  let end: () => void = () => undefined;
  const ended = new Promise<typeof ENDED>(resolve => {
    end = () => resolve(ENDED);
  });
  const stop = onTenantEnd(end, options);

  return readInThisContext(readUntil(source[Symbol.asyncIterator](), { ended, stop }));
}

async function* readUntil<T>(
  items: AsyncIterator<T>,
  { ended, stop }: { readonly ended: Promise<typeof ENDED>; readonly stop: () => void },
): AsyncGenerator<T, void, undefined> {
  let isDone = false;

  try {
    for (;;) {
      const next = await Promise.race([ended, items.next()]);

      if (next === ENDED) {
        return;
      }

      if (next.done === true) {
        isDone = true;

        return;
      }

      yield next.value;
    }
  } finally {
    stop();

    if (!isDone) {
      // a generator that waits for its next item ends only then, so it is not waited for
      void Promise.resolve(items.return?.()).catch(() => undefined);
    }
  }
}

const ENDED = Symbol('ended');
