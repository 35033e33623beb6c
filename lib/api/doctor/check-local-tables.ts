import { readLocalTables } from '../../database/citus/local-tables.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import type { Finding } from './finding.js';

/** On Citus, tables of sharded tenants that are on the coordinator: what is in them is left behind when the tenant is moved, and cannot be joined. */
export async function checkLocalTables(database: TenantDatabase, names: ReadonlySet<string>): Promise<Finding[]> {
  const found = (await database.engine.citus(undefined)) === undefined ? [] : await readLocalTables(database);

  return found
    .filter(({ schema }) => names.has(schema))
    .map(({ schema, name }) => ({
      kind: 'table-local',
      schemaName: schema,
      object: name,
      message: `table ${name} is on the coordinator, and the other tables of the tenant are on a node of Citus`,
      remedy: 'Drop it, and create it again by a statement of its own, not in a `do` block or a function.',
    }));
}
