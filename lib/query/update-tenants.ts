import type { Transaction } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { tellChanges } from '../database/tell-changes.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { forScope } from '../connection/statements/sql-target.js';

/**
 * Runs an update of tenants that bypasses the unit of work, and sends the change notice in the same transaction. The notice reports all tenants,
 * because it is not known which ones changed. Without a transaction, one is started, so that both succeed or fail together.
 */
export async function updateTenants<Result>(
  em: SqlEntityManager,
  options: { readonly ctx?: Transaction | undefined },
  update: (ctx: Transaction) => Promise<Result>,
): Promise<Result> {
  const database = TenantDatabase.of(em.config);
  const run = async (ctx: Transaction): Promise<Result> => {
    const result = await forScope(em.config, () => update(ctx));
    await tellChanges(database, [undefined], ctx);

    return result;
  };
  const ctx = options.ctx ?? em.getTransactionContext();

  if (ctx !== undefined) {
    return run(ctx);
  }

  return inOwnTransaction(em, run);
}

// if the statement failed, its own error is thrown, not the error of the rollback on a connection that was killed
async function inOwnTransaction<Result>(em: SqlEntityManager, fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
  const sessionContext = em.getTransactionSessionContext();
  const failures: unknown[] = [];

  try {
    return await TenantDatabase.of(em.config).inTransaction(async ctx => {
      try {
        if (sessionContext !== undefined) {
          await em.getConnection('write')['applySessionContext'](ctx, sessionContext, em.getLoggerContext());
        }

        return await fn(ctx);
      } catch (error) {
        failures.push(error);
        throw error;
      }
    });
  } catch (error) {
    throw failures[0] ?? error;
  }
}
