import type { TenantDatabase } from '../database/tenant-database.js';
import { RunUsageError } from '../errors/index.js';
import { selectSchemaNames, type TenantSelection } from '../migrations/run/selection.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { readActivity, readBusy, readBytes, readRecorded, readStored, readVersion, type BusyRow, type StoredRow } from './read-usage.js';

/** What a tenant takes of the server. */
export interface TenantUsage {
  readonly schemaName: string;
  readonly tables: number;
  /** As PostgreSQL estimates them. */
  readonly rows: number;
  /** Of tables, indexes and large values: as of the last vacuum or analysis, or exactly with `exact`. */
  readonly bytes: number;
  /** When one of its tables or indexes was last read. Undefined before PostgreSQL 16, and if none was read since the statistics were reset. */
  readonly lastActivity: Date | undefined;
  /** Connections whose latest statement was one of the tenant's. */
  readonly connections: number;
  /**
   * How long its slowest statement takes, in milliseconds: of those that are running now, and with `recordsStatements` of those too that
   * `pg_stat_statements` remembers.
   */
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
  /**
   * Whether `slowestMs` takes account of statements that have ended. It needs the extension `pg_stat_statements`, and either the option `roles` or a PostgreSQL
   * before 18: since then, equal statements of all tenants are one to it.
   */
  readonly recordsStatements: boolean;
}

/**
 * Reads what the selected tenants take: one pass over the entries of the catalog for all of them. What costs a look at each table is read for the tenants
 * that are told of alone.
 */
export async function readUsage(database: TenantDatabase, options: UsageOptions): Promise<UsageReport> {
  const { orderBy = 'bytes', limit, offset = 0, exact = false } = options;

  if (!USAGE_ORDERS.includes(orderBy)) {
    throw RunUsageError.option('--order-by', orderBy, `one of ${USAGE_ORDERS.join(', ')}`);
  }

  const names = await selectSchemaNames(database, options);
  const version = await readVersion(database);
  // otherwise those of the page alone are read
  const withActivity = orderBy === 'lastActivity' || limit === undefined;
  const stored = new Map((await readStored(database, { version, withActivity })).map(row => [row.name, row]));
  const busy = new Map((await readBusy(database)).map(row => [row.name, row]));
  const recorded = await readRecorded(database, version);
  const all = names
    .map(name => usageOf(name, { stored: stored.get(name), busy: busy.get(name), recordedMs: recorded?.get(name) }))
    .toSorted(COMPARE[orderBy]);
  const page = all.slice(offset, limit === undefined ? undefined : offset + limit);
  const tenants = await withDetails(database, page, { version, withActivity, exact });
  const sum = (key: 'tables' | 'rows' | 'bytes' | 'connections'): number => all.reduce((total, each) => total + each[key], 0);

  return {
    total: all.length,
    tenants,
    sum: { tables: sum('tables'), rows: sum('rows'), bytes: sum('bytes'), connections: sum('connections') },
    recordsStatements: recorded !== undefined,
  };
}
async function withDetails(
  database: TenantDatabase,
  page: readonly TenantUsage[],
  { version, withActivity, exact }: { readonly version: number; readonly withActivity: boolean; readonly exact: boolean },
): Promise<TenantUsage[]> {
  const names = page.map(({ schemaName }) => schemaName);
  const last = withActivity ? undefined : await readActivity(database, { version, names });
  const bytes = exact ? await readBytes(database, names) : undefined;

  return page.map(each => ({
    ...each,
    ...(last === undefined ? {} : { lastActivity: dateOf(last.get(each.schemaName)) }),
    ...(bytes === undefined ? {} : { bytes: bytes.get(each.schemaName) ?? 0 }),
  }));
}

function usageOf(
  schemaName: string,
  {
    stored,
    busy,
    recordedMs,
  }: { readonly stored: StoredRow | undefined; readonly busy: BusyRow | undefined; readonly recordedMs: number | undefined },
): TenantUsage {
  const slowest = [busy?.slowest, recordedMs].filter(ms => ms != null).map(Number);

  return {
    schemaName,
    tables: Number(stored?.tables ?? 0),
    rows: Math.round(Number(stored?.rows ?? 0)),
    bytes: Number(stored?.bytes ?? 0),
    lastActivity: dateOf(stored?.last_activity),
    connections: Number(busy?.connections ?? 0),
    slowestMs: slowest.length === 0 ? undefined : Math.round(Math.max(...slowest)),
  };
}

function dateOf(seconds: number | string | null | undefined): Date | undefined {
  return seconds == null ? undefined : new Date(Number(seconds) * 1000);
}

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
