import type { TenantDatabase } from '../database/tenant-database.js';
import { LAST_SCANS } from './read-usage.js';

/** What the tables of a tenant take on the node that has them. */
export interface UsageOnNode {
  readonly rows: number;
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly lastActivity: number | null;
}

/** What sharded tenants take on the nodes of Citus, by schema name. What the coordinator has of them is empty. Empty where there is no Citus. */
export async function readUsageOnNodes(
  database: TenantDatabase,
  { exact, version }: { readonly exact: boolean; readonly version: number },
): Promise<ReadonlyMap<string, UsageOnNode>> {
  if ((await database.engine.citus(undefined)) === undefined) {
    return new Map();
  }

  const lastScan = version >= LAST_SCANS ? 'extract(epoch from max(pg_stat_get_lastscan(c.oid)))' : 'null';
  const bytes = exact
    ? 'pg_total_relation_size(c.oid)'
    : `(select sum(x.relpages)::bigint from pg_class x where x.oid in (c.oid, c.reltoastrelid) or x.oid in (select i.indexrelid from pg_index i
        where i.indrelid in (c.oid, c.reltoastrelid))) * current_setting('block_size')::bigint`;
  const ofNode = `select coalesce(json_agg(r), '[]')::text from (
    select n.nspname as name, sum(case when pg_stat_get_live_tuples(c.oid) > 0 then pg_stat_get_live_tuples(c.oid) else greatest(c.reltuples, 0) end) as rows,
      sum(${bytes}) as bytes, ${lastScan} as last
    from pg_dist_shard s join pg_class c on c.oid = to_regclass(shard_name(s.logicalrelid, s.shardid)) join pg_namespace n on n.oid = c.relnamespace
    group by 1) r`;
  const nodes = await database.execute<{ result: string }>('select result from run_command_on_all_nodes(?)', [ofNode], undefined);
  const found = nodes.flatMap(({ result }) => JSON.parse(result) as { name: string; rows: number; bytes: number; last: number | null }[]);

  return new Map(found.map(({ name, rows, bytes: size, last }) => [name, { rows, bytes: size, lastActivity: last }]));
}
