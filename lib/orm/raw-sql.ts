import type { Transaction } from '@mikro-orm/core';
import type { EmExecuteOptions, SqlEntityManager } from '@mikro-orm/sql';
import { searchPathOf } from '../schema-name.js';
import type { Tenancy } from '../tenancy.js';
import { tenantSchema } from './tenant-schema.js';

/**
 * Runs raw SQL with the tenant's schema, and what `searchPath` adds, as the `search_path`. The path is local to a transaction, made
 * for the statement where there is none; the path that stood before is put back, there also where the statement set one for the session.
 */
export async function executeOnPath(
  em: SqlEntityManager,
  tenancy: Tenancy,
  query: Parameters<SqlEntityManager['execute']>[0],
  params: any[],
  { method = 'all', loggerContext, ...abort }: EmExecuteOptions,
): Promise<any> {
  const schemaName = tenantSchema('Raw SQL', em.schema, tenancy.scope, tenancy);
  const path = searchPathOf(schemaName, ...tenancy.options.searchPath);
  const driver = em.getDriver();
  const logging = { ...loggerContext, ...abort };
  const run = (ctx: Transaction): Promise<unknown> => driver.execute(query, params, method, ctx, logging);
  const transaction = em.getTransactionContext<HoldableTransaction>();

  if (transaction === undefined) {
    return inOwnTransaction(em, tenancy, loggerContext, async ctx => {
      const [before] = await driver.execute<{ path: string }[]>(SWAP_PATH, [path], 'all', ctx);
      const result = await run(ctx);
      // what the statement has set for the session would stay on the connection; a rollback takes it back by itself
      await driver.execute(SET_SESSION_PATH, [before?.path ?? ''], 'run', ctx);

      return result;
    });
  }

  return holdConnection(transaction, async ctx => {
    const [before] = await driver.execute<{ path: string }[]>(SWAP_PATH, [path], 'all', ctx);
    const restore = (): Promise<unknown> => driver.execute(SET_PATH, [before?.path ?? ''], 'run', ctx);
    let result: unknown;

    try {
      result = await run(ctx);
    } catch (error) {
      // where PostgreSQL refused the statement this fails too, and a rollback to whichever savepoint puts the path back; where
      // the statement never got that far, the transaction can go on
      await restore().catch(() => undefined);
      throw error;
    }

    await restore();

    return result;
  });
}

/** Sets the path for the rest of the transaction. */
export const SET_PATH = `select set_config('search_path', ?, true)`;

const SET_SESSION_PATH = `select set_config('search_path', ?, false)`;

// materialized, so that the old path is read before the new one is set
const SWAP_PATH = `with before as materialized (select current_setting('search_path') as path) select path, set_config('search_path', ?, true) from before`;

/** Where the statement is what failed it is its error that is thrown, also of a connection that was killed under it. */
async function inOwnTransaction<Result>(
  em: SqlEntityManager,
  tenancy: Tenancy,
  loggerContext: EmExecuteOptions['loggerContext'],
  fn: (ctx: Transaction) => Promise<Result>,
): Promise<Result> {
  const sessionContext = em.getTransactionSessionContext();
  const failures: unknown[] = [];

  try {
    return await tenancy.inTransaction(async ctx => {
      try {
        if (sessionContext !== undefined) {
          await em.getConnection('write')['applySessionContext'](ctx, sessionContext, loggerContext);
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

/**
 * Keeps every other statement of the transaction waiting, those of other scopes too: one that came between the path and the
 * statement it is for would change it under its feet. Relies on Kysely's transactions handing out their connection one user at a time.
 */
function holdConnection<Result>(transaction: HoldableTransaction, fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
  const executor = transaction.getExecutor();

  return executor.provideConnection(connection => {
    const held = executor.withConnectionProvider({ provideConnection: use => use(connection) });

    return fn({ executeQuery: (query: unknown, options: unknown) => held.executeQuery(query, options) });
  });
}

interface HoldableTransaction {
  getExecutor(): Executor;
}

interface Executor {
  executeQuery(query: unknown, options: unknown): Promise<unknown>;
  provideConnection<Result>(use: (connection: object) => Promise<Result>): Promise<Result>;
  withConnectionProvider(provider: { provideConnection<Result>(use: (connection: object) => Promise<Result>): Promise<Result> }): Executor;
}
