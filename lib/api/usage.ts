import type { TenantDatabase } from '../database/tenant-database.js';
import { RunUsageError } from '../errors/index.js';
import { selectSchemaNames, type TenantSelection } from '../migrations/run/selection.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { readUsageOnNodes, type UsageOnNode } from './usage-on-nodes.js';

/** What a tenant takes of the server. */
export interface TenantUsage {
  readonly schemaName: string;
  readonly tables: number;
  /** As PostgreSQL estimates them. */
  readonly rows: number;
  /** Of tables, indexes and large values: as of the last vacuum or analysis, or exactly with `exact`. */
  readonly bytes: number;
  /** When one of its tables was last read. Undefined before PostgreSQL 16, and if none was read since the statistics were reset. */
  readonly lastActivity: Date | undefined;
  /** Connections whose latest statement was one of the tenant's. */
  readonly connections: number;
  /** How long its slowest statement has been running that is running now, in milliseconds. */
  readonly slowestMs: number | undefined;
}

export interface UsageOptions<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends TenantSelection<Tenant> {
  /** @default 'bytes', the largest first; names are sorted upwards, and `lastActivity` from the longest unused */
  readonly orderBy?: UsageOrder;
  /** How many tenants are told of. @default all */
  readonly limit?: number;
  /** How many are left out before them. @default 0 */
  readonly offset?: number;
  /** Whether the bytes of the tenants that are told of are read from the files. The order is by the estimate. @default false */
  readonly exact?: boolean;
}

export type UsageOrder = (typeof USAGE_ORDERS)[number];

export const USAGE_ORDERS = ['bytes', 'rows', 'tables', 'connections', 'slowestMs', 'lastActivity', 'schemaName'] as const;

export interface UsageReport {
  /** How many tenants were selected. */
  readonly total: number;
  readonly tenants: readonly TenantUsage[];
  /** Of all that were selected. */
  readonly sum: Pick<TenantUsage, 'tables' | 'rows' | 'bytes' | 'connections'>;
}

/** Reads what the selected tenants take: two statements over the catalogs and statistics for all of them. */
export async function readUsage(database: TenantDatabase, options: UsageOptions): Promise<UsageReport> {
  const { orderBy = 'bytes', limit, offset = 0, exact = false } = options;

  if (!USAGE_ORDERS.includes(orderBy)) {
    throw RunUsageError.option('--order-by', orderBy, `one of ${USAGE_ORDERS.join(', ')}`);
  }

  const names = await selectSchemaNames(database, options);
  const lastScan = await lastScanOf(database);
  const onNodes = await readUsageOnNodes(database, { exact, lastScan });
  const stored = new Map((await readStored(database, lastScan)).map(row => [row.name, onNode(row, onNodes.get(row.name))]));
  const busy = new Map((await readBusy(database)).map(row => [row.name, row]));
  const all = names.map(name => usageOf(name, stored.get(name), busy.get(name))).toSorted(COMPARE[orderBy]);
  const tenants = all.slice(offset, limit === undefined ? undefined : offset + limit);
  const sum = (key: 'tables' | 'rows' | 'bytes' | 'connections'): number => all.reduce((total, each) => total + each[key], 0);

  return {
    total: all.length,
    // those on nodes are exact already
    tenants: exact ? await withExactBytes(database, tenants, onNodes) : tenants,
    sum: { tables: sum('tables'), rows: sum('rows'), bytes: sum('bytes'), connections: sum('connections') },
  };
}

function usageOf(schemaName: string, stored: StoredRow | undefined, busy: BusyRow | undefined): TenantUsage {
  const last = stored?.last_activity;

  return {
    schemaName,
    tables: Number(stored?.tables ?? 0),
    rows: Math.round(Number(stored?.rows ?? 0)),
    bytes: Number(stored?.bytes ?? 0),
    lastActivity: last == null ? undefined : new Date(Number(last) * 1000),
    connections: Number(busy?.connections ?? 0),
    slowestMs: busy?.slowest == null ? undefined : Math.round(Number(busy.slowest)),
  };
}

function onNode(row: StoredRow, node: UsageOnNode | undefined): StoredRow {
  return node === undefined ? row : { ...row, rows: node.rows, bytes: node.bytes, last_activity: node.lastActivity };
}

async function lastScanOf(database: TenantDatabase): Promise<string> {
  const [version] = await database.execute<{ n: number }>(`select current_setting('server_version_num')::int as n`, [], undefined);

  return (version?.n ?? 0) >= 160_000 ? 'extract(epoch from max(pg_stat_get_lastscan(c.oid)))' : 'null';
}

async function readStored(database: TenantDatabase, lastScan: string): Promise<StoredRow[]> {
  return database.execute<StoredRow>(
    `select n.nspname::text as name, x.* from (
      select c.relnamespace as schema, count(*) filter (where c.relkind in ('r', 'p')) as tables,
        sum(case when c.relkind not in ('r', 'm') then 0 when pg_stat_get_live_tuples(c.oid) > 0 then pg_stat_get_live_tuples(c.oid) else greatest(c.reltuples, 0) end) as rows,
        sum(c.relpages::bigint + coalesce(t.relpages, 0)) * current_setting('block_size')::bigint as bytes, ${lastScan} as last_activity
      from pg_class c left join pg_class t on t.oid = c.reltoastrelid
      where c.relkind in ('r', 'p', 'm', 'i', 'S') group by 1
    ) x join pg_namespace n on n.oid = x.schema`,
    [],
    undefined,
  );
}

// a statement names its tables with their schema
function readBusy(database: TenantDatabase): Promise<BusyRow[]> {
  return database.execute<BusyRow>(
    `select (regexp_match(query, '"([a-z_][a-z0-9_]*)"[.]"'))[1] as name, count(*) as connections,
      max(extract(epoch from clock_timestamp() - query_start) * 1000) filter (where state = 'active') as slowest
      from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query ~ '"[a-z_][a-z0-9_]*"[.]"' group by 1`,
    [],
    undefined,
  );
}

async function withExactBytes(
  database: TenantDatabase,
  tenants: readonly TenantUsage[],
  onNodes: ReadonlyMap<string, UsageOnNode>,
): Promise<TenantUsage[]> {
  const bytes = new Map<string, number>();

  for (let start = 0; start < tenants.length; start += BATCH) {
    const rows = await database.execute<{ name: string; bytes: number | string }>(
      `select n.nspname::text as name, sum(pg_total_relation_size(c.oid)) as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'm', 'S') and n.nspname in (?) group by 1`,
      [tenants.slice(start, start + BATCH).map(({ schemaName }) => schemaName)],
      undefined,
    );
    rows.forEach(row => bytes.set(row.name, Number(row.bytes)));
  }

  return tenants.map(tenant => ({ ...tenant, bytes: onNodes.get(tenant.schemaName)?.bytes ?? bytes.get(tenant.schemaName) ?? 0 }));
}

/** Each of its files takes a lock for the length of the statement. */
const BATCH = 50;

const byName = (a: TenantUsage, b: TenantUsage): number => (a.schemaName < b.schemaName ? -1 : 1);

const downwards =
  (key: 'bytes' | 'rows' | 'tables' | 'connections' | 'slowestMs') =>
  (a: TenantUsage, b: TenantUsage): number =>
    (b[key] ?? 0) - (a[key] ?? 0) || byName(a, b);

const COMPARE: Readonly<Record<UsageOrder, (a: TenantUsage, b: TenantUsage) => number>> = {
  bytes: downwards('bytes'),
  rows: downwards('rows'),
  tables: downwards('tables'),
  connections: downwards('connections'),
  slowestMs: downwards('slowestMs'),
  lastActivity: (a, b) => (a.lastActivity?.getTime() ?? 0) - (b.lastActivity?.getTime() ?? 0) || byName(a, b),
  schemaName: byName,
};

interface StoredRow {
  readonly name: string;
  readonly tables: number | string;
  readonly rows: number | string;
  readonly bytes: number | string;
  readonly last_activity: number | string | null;
}

interface BusyRow {
  readonly name: string;
  readonly connections: number | string;
  readonly slowest: number | string | null;
}
