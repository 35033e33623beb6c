import type { SpecDatabase } from './database.ts';
import { until } from '../assertions/until.ts';

/** With one connection in the pool, the next request would wait forever for a connection that was not released. */
export const POOL_OF_ONE = { pool: { min: 0, max: 1 } };

/** Every connection except the observer's is idle and in no transaction. */
export async function expectIdle(database: SpecDatabase): Promise<void> {
  if (database.kind !== 'pglite') {
    await until('every connection is idle', async () => {
      const busy = await database.query(
        `select state, query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
      );

      return busy.length === 0;
    });
  }
}
