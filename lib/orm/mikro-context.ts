import { RequestContext, TransactionContext, type EntityManager, type Options, type Transaction } from '@mikro-orm/core';
import { hasEnded } from '../database/on-commit.js';
import { innermostScope, withScope, type Scope } from '../scope/scope.js';
import { forScope, withoutTargets } from '../connection/statements/sql-target.js';
import { OF_GLOBAL, OF_SCOPE } from './fork-options.js';
import { entityManagersOf, keepFor } from './other-orms.js';
import type { TenantEntityManager } from './tenant-entity-manager.js';

/**
 * Enters a scope: sets it for the async flow, and makes the global `em` a fork for it. Where the flow is in a transaction,
 * the fork joins that, so that a tenant created in it can be worked on in it; the connection itself knows nothing of tenants.
 *
 * Relies on three things MikroORM 7 does not document: that a request context maps the name of an EntityManager to the one
 * to use, that a transaction context is preferred to it, and that both live in a static AsyncLocalStorage. Replacing the first
 * without the second would let the outer scope's transaction answer for the inner scope.
 */
export function enterScope<Result>(global: TenantEntityManager, scope: Scope, fn: (em: TenantEntityManager) => Result): Result {
  // asked once, where MikroORM and each guard would ask again
  const em = global.fork(global.getContext(false) === (global as object) ? OF_GLOBAL : OF_SCOPE);
  em.bindToScope(scope);
  keepFor(scope, em);
  const context = new RequestContext(entityManagersOf(em));

  const run = (): Result => RequestContext['storage'].run(context, () => forScope(scope.config, () => fn(em)));

  return withScope(scope, () => {
    // In no transaction of this ORM there is none to join. A context would then cost every request something, and before
    // MikroORM 7.2.5 it would hide another ORM's transaction: a context had no outer one.
    return TransactionContext.getEntityManager(em.name) === undefined ? run() : TransactionContext.create(em, run);
  });
}

/**
 * Enters a scope whose EntityManager is in the transaction `ctx`, whatever the flow is in: MikroORM's flush is in its transaction, and no context
 * says so.
 */
export function enterScopeIn<Result>(
  global: TenantEntityManager,
  { scope, ctx }: { readonly scope: Scope; readonly ctx: Transaction },
  fn: (em: TenantEntityManager) => Result,
): Result {
  const em = global.fork({ useContext: true });
  em.bindToScope(scope);
  em.setTransactionContext(ctx);
  keepFor(scope, em);
  const context = new RequestContext(entityManagersOf(em));
  const run = (): Result => RequestContext['storage'].run(context, () => forScope(scope.config, () => fn(em)));

  return withScope(scope, () => TransactionContext.create(em, run));
}

/**
 * Runs `fn` outside of the transaction that the flow is in, if that has ended: work that is queued in a transaction may run after it, and still
 * has its context.
 */
export function outsideEndedTransaction<Result>(global: TenantEntityManager, fn: () => Result): Result {
  const ctx = global.getTransactionContext();

  if (ctx === undefined || !hasEnded(ctx)) {
    return fn();
  }

  const em = global.fork({ useContext: true });
  const context = new RequestContext(entityManagersOf(em));

  return RequestContext['storage'].run(context, () => TransactionContext.create(em, fn));
}

/** Runs `fn` in no scope and no transaction, whatever the flow was in. */
export function leaveScope<Result>(fn: () => Result): Result {
  return withScope(undefined, () =>
    TransactionContext['storage'].run(undefined as never, () => RequestContext['storage'].run(undefined, () => withoutTargets(fn))),
  );
}

/** Whether a flush writes in a transaction: the caller's, or one that MikroORM begins for it. */
export function flushesInTransaction(em: EntityManager): boolean {
  // new in MikroORM 7.2.5: before, a flush began a transaction whatever `disableTransactions` of a fork said
  const { isTransactionDisabled } = em as { isTransactionDisabled?: () => boolean };

  return (
    em.isInTransaction() ||
    (em.config.get('implicitTransactions') === true && em.getPlatform().supportsTransactions() && isTransactionDisabled?.call(em) !== true)
  );
}

/** The user's own `context`, except in a scope: there the EntityManager is the scope's. */
export function contextOfScopes(own: ContextOption): ContextOption {
  return name => (innermostScope() === undefined ? undefined : RequestContext.getEntityManager(name)) ?? own(name);
}

type ContextOption = Options['context'];
