import { RequestContext, TransactionContext, type Options } from '@mikro-orm/core';
import { innermostScope, withScope, type Scope } from '../scope/scope.js';
import { forScope, withoutTargets } from '../connection/sql-target.js';
import { otherEntityManagers } from './other-orms.js';
import type { TenantEntityManager } from './tenant-entity-manager.js';

/**
 * Enters a scope: sets it for the async flow, and makes the global `em` a fork for it. Where the flow is in a transaction,
 * the fork joins that, so that a tenant created in it can be worked on in it; the connection itself knows nothing of tenants.
 *
 * Relies on three things MikroORM 7 does not document: that a request context maps the name of an EntityManager to the one
 * to use, that a transaction context is preferred to it, and that both live in a static AsyncLocalStorage. Replacing the first
 * without ending the second would let the outer scope's transaction answer for the inner scope.
 */
export function enterScope<Result>(global: TenantEntityManager, scope: Scope, fn: (em: TenantEntityManager) => Result): Result {
  const em = global.fork({ useContext: true, keepTransactionContext: true });
  em.bindToScope(scope);
  const context = new RequestContext(new Map([...otherEntityManagers(em), [em.name, em]]));

  const run = (): Result => RequestContext['storage'].run(context, () => forScope(scope.config, () => fn(em)));

  return withScope(scope, () => {
    // a flow in no transaction has none to end, and every request would pay for it
    if (TransactionContext.currentTransactionContext() === undefined) {
      return run();
    }

    // another ORM's transaction stays the flow's
    const transaction =
      TransactionContext.getEntityManager(em.name) === undefined ? TransactionContext.currentTransactionContext() : undefined;

    return TransactionContext['storage'].run(transaction, run);
  });
}

/** Runs `fn` in no scope and no transaction, whatever the flow was in. */
export function leaveScope<Result>(fn: () => Result): Result {
  return withScope(undefined, () =>
    TransactionContext['storage'].run(undefined as never, () => RequestContext['storage'].run(undefined, () => withoutTargets(fn))),
  );
}

/** The user's own `context`, except in a scope: there the EntityManager is the scope's. */
export function contextOfScopes(own: ContextOption): ContextOption {
  return name => (innermostScope() === undefined ? undefined : RequestContext.getEntityManager(name)) ?? own(name);
}

type ContextOption = Options['context'];
