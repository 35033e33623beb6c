import type { Transaction } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { tellChanges } from '../database/tell-changes.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { forScope } from '../connection/sql-target.js';

/**
 * Runs an update of tenants past the unit of work, and tells in its transaction that tenants have changed: all, as which is not known.
 * Where there is no transaction one is made, so that neither is done without the other.
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

// where the statement is what failed it is its error that is thrown, also of a connection that was killed under it
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
