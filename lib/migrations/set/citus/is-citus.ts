import type { TenantDatabase } from '../../../database/tenant-database.js';
import { isUnreachable, wasNotLetIn } from '../../../postgres/sql-state.js';

/** Whether migrations are written for Citus: the option says so, or the database is one. Without a database, only the option can. */
export async function isForCitus(database: TenantDatabase): Promise<boolean> {
  const { citus } = database.options;

  if (citus !== 'auto') {
    return citus !== false;
  }

  try {
    return (await database.engine.citus(undefined)) !== undefined;
  } catch (error) {
    if (isUnreachable(error) || wasNotLetIn(error)) {
      return false;
    }

    throw error;
  }
}
