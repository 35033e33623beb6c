import { attachRollbackError } from '../postgres/sql-state.js';
import type { TenantEntityManager } from '../orm/tenant-entity-manager.js';

/**
 * Runs `fn` in a savepoint of the transaction that the EntityManager is in, if it is in one. Unlike `em.transactional()` it flushes
 * nothing at the end: what is not flushed in a transaction is not flushed outside of one either.
 */
export async function inSavepoint<Result>(em: TenantEntityManager, fn: () => Result | Promise<Result>): Promise<Result> {
  const transaction = em.getTransactionContext();

  if (transaction === undefined) {
    return fn();
  }

  const connection = em.getConnection('write');
  const savepoint = await connection.begin({ ctx: transaction });
  em.setTransactionContext(savepoint);

  try {
    const result = await fn();
    // fails where a statement has failed and `fn` has said nothing of it
    await connection.commit(savepoint);

    return result;
  } catch (error) {
    await connection.rollback(savepoint).catch((rollbackError: unknown) => attachRollbackError(error, rollbackError));
    throw error;
  } finally {
    em.setTransactionContext(transaction);
  }
}
