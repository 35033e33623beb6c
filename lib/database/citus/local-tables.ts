import type { Transaction } from '@mikro-orm/core';
import { TablesStayedLocalError } from '../../errors/index.js';
import type { TenantDatabase } from '../tenant-database.js';

/**
 * Refuses tables of a sharded schema that are on the coordinator alone. Citus distributes what is created by a statement of its own, and says
 * nothing of a table that is made in a `do` block or in a function.
 *
 * @throws TablesStayedLocalError `TENANT_TABLES_LOCAL`
 */
export async function refuseLocalTables(
  database: TenantDatabase,
  schemaName: string,
  { ctx, isRolledBack = true }: { readonly ctx: Transaction; readonly isRolledBack?: boolean },
): Promise<void> {
  if ((await database.engine.citus(ctx)) === undefined) {
    return;
  }

  const rows = await database.execute<{ name: string }>(`${LOCAL_TABLES} and n.nspname = ? order by 2`, [schemaName], ctx);

  if (rows.length > 0) {
    throw new TablesStayedLocalError(
      schemaName,
      rows.map(({ name }) => name),
      { isRolledBack },
    );
  }
}

/** The tables of all sharded schemas that are on the coordinator. */
export function readLocalTables(database: TenantDatabase): Promise<{ readonly schema: string; readonly name: string }[]> {
  return database.execute(`${LOCAL_TABLES} order by 1, 2`, [], undefined);
}

// a partition has an entry of its own
const LOCAL_TABLES = `select n.nspname::text as schema, c.relname::text as name from pg_namespace n
  join pg_dist_schema s on s.schemaid = n.oid
  join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p')
  where c.relpersistence <> 't' and not exists (select from pg_dist_partition p where p.logicalrelid = c.oid)`;
