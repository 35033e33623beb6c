import { readLocksOfDrop } from '../../database/lock-room.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { hearsChanges } from '../../directory/open-directory.js';
import { reasonOf } from '../../errors/index.js';
import { defaultMaxTenants, maxTenantsIn, megabytesOf } from '../../tenant/connection-options.js';
import { countTenantTables } from '../../tenant/entity-kinds.js';
import { checkReplicas } from './check-replicas.js';
import type { Finding } from './finding.js';

/** The server and the process beside the number of tenants. */
export async function checkServer(database: TenantDatabase, names: ReadonlySet<string>): Promise<Finding[]> {
  return [
    ...(await checkLocks(database, names)),
    ...checkMemory(database, names.size),
    ...(await checkListener(database)),
    ...(await checkReplicas(database, names)),
  ];
}

/** Whether the largest schema can be dropped. */
async function checkLocks(database: TenantDatabase, names: ReadonlySet<string>): Promise<Finding[]> {
  const rows = await database.execute<{ name: string }>(
    `select n.nspname::text as name from (select relnamespace, count(*) as size from pg_class group by 1) c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname not in ('pg_catalog', 'pg_toast', 'information_schema') order by size desc limit 1000`,
    [],
    undefined,
  );
  const largest = rows.find(({ name }) => names.has(name))?.name;

  if (largest === undefined) {
    return [];
  }

  const { needed, room, setting, advised } = await database.inTransaction(ctx => readLocksOfDrop(database, largest, ctx));

  // some is left for the others
  return needed * 1.2 <= room
    ? []
    : [
        {
          kind: 'locks-too-few',
          schemaName: largest,
          message: `dropping the largest schema takes about ${needed} locks, and the server has room for ${room}, which all sessions share`,
          remedy: `Set \`max_locks_per_transaction\` to ${advised} (it is ${setting}), and restart the server.`,
        },
      ];
}

/** Whether the connections of a process keep to their budget if each serves as many tenants as it may. */
function checkMemory({ engine, options, rules }: TenantDatabase, tenants: number): Finding[] {
  const { maxTenants, memoryBudgetMb } = options.connections;
  // and the history
  const tables = countTenantTables(rules.metadata) + 1;
  const pool = engine.connectionsAtOnce();
  const most = maxTenants === false ? Infinity : (maxTenants ?? defaultMaxTenants(tables, pool));
  const megabytes = megabytesOf(pool * Math.min(most, tenants) * tables);

  return megabytes <= memoryBudgetMb
    ? []
    : [
        {
          kind: 'memory-over-budget',
          message: `a pool of ${pool} that serves ${Math.min(most, tenants)} tenants of ${tables} tables with each connection takes about ${megabytes} MB of the server, and the budget is ${memoryBudgetMb} MB`,
          remedy: `Set \`connections: { maxTenants: ${maxTenantsIn(memoryBudgetMb / pool, tables)} }\`, make the pool smaller, or raise \`connections.memoryBudgetMb\`.`,
        },
      ];
}

/** Whether a process with this config hears of changes that others make. */
async function checkListener(database: TenantDatabase): Promise<Finding[]> {
  const remedy = 'Give the URL of the database itself, past any pooler: `directory: { listen: { url } }`.';

  try {
    return (await hearsChanges(database)) === false
      ? [{ kind: 'listener-deaf', message: 'a process with this config does not hear of changes that others make', remedy }]
      : [];
  } catch (error) {
    return [{ kind: 'listener-deaf', message: `the connection for notices of changes cannot be opened: ${reasonOf(error)}`, remedy }];
  }
}
