import type { Transaction } from '@mikro-orm/core';
import pMap from 'p-map';
import { KnownNodes } from '../../connection/pool/known-nodes.js';
import { TenantNodeUnavailableError } from '../../errors/index.js';
import { hasNotAnswered } from '../../postgres/sql-state.js';
import { nodeLimitsOf } from '../../tenant/citus-options.js';
import type { TenantDatabase } from '../tenant-database.js';

/** A node of the cluster that takes tenants. */
export interface CitusNode {
  readonly host: string;
  readonly port: number;
  /** `host:port` */
  readonly name: string;
}

/** The nodes that take tenants, of which each has to know of changed tables. */
export async function readNodes(database: TenantDatabase, ctx?: Transaction): Promise<CitusNode[]> {
  const rows = await database.execute<{ host: string; port: number }>(NODES, [], ctx);

  return rows.map(({ host, port }) => ({ host, port, name: `${host}:${port}` }));
}

/** Host and port of the node of each sharded schema, or of those of the given names. A schema without tables is on none yet. */
export async function readPlacements(
  database: TenantDatabase,
  schemaNames?: readonly string[],
  ctx?: Transaction,
): Promise<ReadonlyMap<string, string>> {
  if (schemaNames?.length === 0) {
    return new Map();
  }

  const where = schemaNames === undefined ? '' : ' where n.nspname in (?)';
  const rows = await database.execute<{ name: string; node: string | null }>(
    `${PLACEMENTS}${where}`,
    schemaNames === undefined ? [] : [[...schemaNames]],
    ctx,
  );

  return new Map(rows.map(({ name, node }) => [name, node ?? '']));
}

/** The nodes that do not answer the coordinator, by `host:port`, in the time that each is given. */
export async function nodesAway(database: TenantDatabase): Promise<string[]> {
  const nodes = await database.execute<{ host: string; port: number }>(ALL_NODES, [], undefined);
  const answers = await pMap(nodes, async ({ host, port }) => ((await isAnswering(database, host, port)) ? [] : [`${host}:${port}`]), {
    concurrency: Math.min(NODES_AT_ONCE, database.engine.connectionsAtOnce()),
  });

  return answers.flat();
}

/** @throws TenantNodeUnavailableError `TENANT_NODE_UNAVAILABLE` if a node is away, of which each has to know of changed tables. */
export async function requireNodes(database: TenantDatabase): Promise<void> {
  const away = (await database.engine.citus(undefined)) === undefined ? [] : await nodesAway(database);

  if (away.length > 0) {
    throw TenantNodeUnavailableError.beforeWork(away);
  }
}

async function isAnswering(database: TenantDatabase, host: string, port: number): Promise<boolean> {
  try {
    return await database.inTransaction(async ctx => {
      await database.execute(`set local statement_timeout to ${ANSWER_MS}`, [], ctx);
      const [row] = await database.execute<{ success: boolean }>(ASK, [host, port], ctx);

      return row?.success === true;
    });
  } catch (error) {
    if (error instanceof TenantNodeUnavailableError || hasNotAnswered(error)) {
      return false;
    }

    throw error;
  }
}

/** Has the limiter know which tenants are on which node, where `citus.nodeLimits` is set. */
export function watchNodes(database: TenantDatabase): void {
  if (nodeLimitsOf(database.options.citus) !== undefined) {
    KnownNodes.of(database.orm.config).readBy(() =>
      database.inContextOfStart(async () =>
        (await database.engine.citus(undefined)) === undefined ? new Map<string, string>() : readPlacements(database),
      ),
    );
  }
}

/** Where a tenant is that is not sharded. */
export const COORDINATOR = 'coordinator';

const NODES = `select nodename as host, nodeport as port from pg_dist_node where noderole = 'primary' and isactive and shouldhaveshards order by 1, 2`;

// all tables of a schema are on one node
const PLACEMENTS = `select n.nspname as name, (
    select d.nodename || ':' || d.nodeport from pg_dist_partition t
    join pg_dist_shard h on h.logicalrelid = t.logicalrelid join pg_dist_placement p on p.shardid = h.shardid
    join pg_dist_node d on d.groupid = p.groupid and d.noderole = 'primary' where t.colocationid = s.colocationid limit 1
  ) as node from pg_dist_schema s join pg_namespace n on n.oid = s.schemaid`;

const ALL_NODES = `select nodename as host, nodeport as port from pg_dist_node where noderole = 'primary' and isactive and groupid <> 0 order by 1, 2`;

const ASK = `select success from master_run_on_worker(array[?::text], array[?::int], array['select 1'], false)`;

const NODES_AT_ONCE = 4;

/** What a node that works needs for the smallest statement, many times over. */
const ANSWER_MS = 5_000;
