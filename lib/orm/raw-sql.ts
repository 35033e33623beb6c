import type { SqlEntityManager } from '@mikro-orm/sql';
import { searchPathOf } from '../schema-name.js';
import type { Tenancy } from '../tenancy.js';
import { tenantSchema } from './tenant-schema.js';

/**
 * Runs raw SQL with the tenant's schema, and what `searchPath` adds, as the `search_path`. The path is local to a transaction, made
 * for the statement where there is none; in a transaction of the caller's the path that stood before is put back.
 */
export async function executeOnPath(
  em: SqlEntityManager,
  tenancy: Tenancy,
  query: Parameters<SqlEntityManager['execute']>[0],
  params: any[],
  methodOrOptions: 'all' | 'get' | 'run' | { readonly method?: 'all' | 'get' | 'run' },
): Promise<any> {
  const schemaName = tenantSchema('Raw SQL', em.schema, tenancy.scope, tenancy);
  const path = searchPathOf(schemaName, ...tenancy.options.searchPath);
  const method = (typeof methodOrOptions === 'string' ? methodOrOptions : methodOrOptions.method) ?? 'all';
  const driver = em.getDriver();
  const transaction = em.getTransactionContext();

  if (transaction === undefined) {
    return em.getConnection('write').transactional(async ctx => {
      await driver.execute(SET_PATH, [path], 'run', ctx);
      return driver.execute(query, params, method, ctx);
    });
  }

  const [before] = await driver.execute<{ path: string }[]>(SWAP_PATH, [path], 'all', transaction);
  const result = await driver.execute(query, params, method, transaction);
  // not after a failure: the transaction is then aborted, and a rollback to whichever savepoint puts the path back by itself
  await driver.execute(SET_PATH, [before?.path ?? ''], 'run', transaction);

  return result;
}

/** Sets the path for the rest of the transaction. */
export const SET_PATH = `select set_config('search_path', ?, true)`;

// materialized, so that the old path is read before the new one is set
const SWAP_PATH = `with before as materialized (select current_setting('search_path') as path) select path, set_config('search_path', ?, true) from before`;
