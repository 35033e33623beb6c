import { GuardedConnection } from './guarded-connection.js';
import type { SqlGuard } from './guarded-transaction.js';
import type { DatabaseConnection, Query, QueryResult } from '../statements/kysely-types.js';

/**
 * Runs a dump in a transaction of PGlite's, which takes one past Kysely: nobody else's statement comes between, and a failure is rolled back
 * before anybody else has the word.
 */
export async function dumpInTransaction(pglite: Pglite, dump: Query, guard: SqlGuard): Promise<void> {
  await pglite.transaction(async tx => {
    const connection = new GuardedConnection(connectionOf(tx), WITHIN, guard);
    await connection.begin(WITHIN.beginTransaction);
    await connection.executeQuery(dump);
  });
}

function connectionOf(tx: PgliteTransaction): DatabaseConnection {
  return {
    executeQuery: async ({ sql, parameters }) => {
      const result = parameters.length > 0 ? await tx.query(sql, [...parameters]) : (await tx.exec(sql)).at(-1);

      return { rows: result?.rows ?? [] };
    },
    streamQuery: () => {
      throw new Error('A dump is not streamed.');
    },
  };
}

// PGlite has begun the transaction, and ends it
const WITHIN = {
  beginTransaction: async (): Promise<void> => undefined,
  commitTransaction: async (): Promise<void> => undefined,
  rollbackTransaction: async (): Promise<void> => undefined,
};

/** What is used of PGlite. */
export interface Pglite {
  transaction(fn: (tx: PgliteTransaction) => Promise<void>): Promise<unknown>;
}

interface PgliteTransaction {
  exec(sql: string): Promise<QueryResult[]>;
  query(sql: string, parameters: unknown[]): Promise<QueryResult>;
}
