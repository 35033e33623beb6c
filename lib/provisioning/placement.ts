import type { Transaction } from '@mikro-orm/core';
import { KnownNodes } from '../connection/pool/known-nodes.js';
import { COORDINATOR, readNodes, readPlacements, requireNodes, type CitusNode } from '../database/citus/placements.js';
import { isOwned } from '../database/owned-schemas.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { lockTenant } from '../database/tenant-lock.js';
import { PlacementError, SchemaMissingError, TenantError } from '../errors/index.js';
import { makeReference, referenceTables, unreferenced } from '../migrations/set/citus/reference-tables.js';
import { quoteIdentifier } from '../postgres/schema-name.js';

/** Where a tenant is on Citus. */
export interface TenantPlacement {
  readonly schemaName: string;
  /** `host:port`, or `coordinator` for a tenant that is not sharded. Empty for one without tables. */
  readonly node: string;
  readonly isSharded: boolean;
}

/** A tenant that was moved. */
export interface MovedTenant {
  readonly schemaName: string;
  readonly from: string;
  readonly to: string;
  readonly durationMs: number;
}

export interface RebalanceOptions {
  /** Whether the nodes get as many bytes, or as many tenants, as each other. @default 'size' */
  readonly by?: 'size' | 'count';
  /** Only tells what would be moved. @default false */
  readonly dryRun?: boolean;
  /** Called for each tenant before it is moved. */
  readonly onMove?: (move: Pick<MovedTenant, 'schemaName' | 'from' | 'to'>) => void;
  /** Called for each tenant that was moved. */
  readonly onMoved?: (moved: MovedTenant) => void;
  /** After an abort, the tenant in progress is finished, and the others stay where they are. */
  readonly signal?: AbortSignal;
}

export interface RebalanceResult {
  readonly moved: readonly MovedTenant[];
  /** A tenant that could not be moved is where it was. The others are moved all the same. */
  readonly failed: readonly { readonly schemaName: string; readonly error: unknown }[];
}

/** Where each of these tenants is. */
export async function placementsOf(database: TenantDatabase, schemaNames: readonly string[]): Promise<TenantPlacement[]> {
  await requireCoordinator(database, 'placed');
  const placements = await readPlacements(database);

  return schemaNames.map(schemaName => {
    const node = placements.get(schemaName);

    return { schemaName, node: node ?? COORDINATOR, isSharded: node !== undefined };
  });
}

/**
 * Moves a tenant to a node, while it is read and written. Citus copies the rows, then what was written meanwhile, and holds up writes for the last
 * part alone. A run of migrations sees the tenant as busy. The server needs `wal_level = logical`.
 *
 * @throws PlacementError `CITUS_MISSING`, `NODE_UNKNOWN`, `TENANT_NOT_DISTRIBUTED` or `PLACEMENT_REFUSED`
 */
export async function moveTenant(database: TenantDatabase, schemaName: string, nodeName: string): Promise<MovedTenant> {
  await requireCoordinator(database, 'moved');
  const node = await findNode(database, nodeName);
  await requireNodes(database);
  const start = performance.now();
  let from = '';

  await underLock(database, schemaName, 'moved', async ctx => {
    const place = (await readPlacements(database, [schemaName])).get(schemaName);

    if (place === undefined) {
      throw PlacementError.notSharded(schemaName);
    }

    from = place;

    if (place !== node.name) {
      await database.execute(MOVE, [quoteIdentifier(schemaName), node.host, node.port], ctx);
    }
  });
  KnownNodes.of(database.orm.config).refresh();

  return { schemaName, from, to: node.name, durationMs: performance.now() - start };
}

/**
 * Moves tenants until the nodes have as much as each other, one after the other, each under its lock.
 *
 * @throws PlacementError `CITUS_MISSING`
 */
export async function rebalanceTenants(
  database: TenantDatabase,
  { by = 'size', dryRun = false, onMove, onMoved, signal }: RebalanceOptions = {},
): Promise<RebalanceResult> {
  await requireCoordinator(database, 'rebalanced');
  const moves = await database.execute<{ name: string; source: string; target: string }>(PLAN, [STRATEGIES[by]], undefined);
  const moved: MovedTenant[] = [];
  const failed: { schemaName: string; error: unknown }[] = [];

  for (const { name: schemaName, source: from, target: to } of moves) {
    if (signal?.aborted === true) {
      break;
    }

    onMove?.({ schemaName, from, to });

    if (dryRun) {
      moved.push({ schemaName, from, to, durationMs: 0 });
      continue;
    }

    try {
      const done = await moveTenant(database, schemaName, to);
      moved.push(done);
      onMoved?.(done);
    } catch (error) {
      failed.push({ schemaName, error });
    }
  }

  return { moved, failed };
}

/**
 * Makes the schema of a plain tenant a sharded one, with its rows. The shared tables that it refers to become reference tables first. The tenant can be
 * neither read nor written meanwhile. One that is sharded is left as it is.
 *
 * @throws PlacementError `CITUS_MISSING` or `PLACEMENT_REFUSED`
 */
export async function distributeTenant(database: TenantDatabase, schemaName: string): Promise<void> {
  await requireCoordinator(database, 'distributed');
  await requireNodes(database);

  for (const table of await unreferenced(database, referenceTables(database))) {
    await database.execute(makeReference(table), [], undefined);
  }

  await underLock(database, schemaName, 'distributed', async ctx => {
    if (!(await readPlacements(database, [schemaName])).has(schemaName)) {
      await database.execute(DISTRIBUTE, [quoteIdentifier(schemaName)], ctx);
    }
  });
  KnownNodes.of(database.orm.config).refresh();
}

/** @throws PlacementError `CITUS_MISSING` */
async function requireCoordinator(database: TenantDatabase, action: string): Promise<void> {
  if ((await database.engine.citusByNow(undefined))?.isCoordinator !== true) {
    throw PlacementError.withoutCitus(action);
  }
}

async function findNode(database: TenantDatabase, name: string): Promise<CitusNode> {
  const nodes = await readNodes(database);
  const node = nodes.find(each => each.name === name);

  if (node === undefined) {
    throw PlacementError.unknownNode(
      name,
      nodes.map(each => each.name),
    );
  }

  return node;
}

async function underLock(
  database: TenantDatabase,
  schemaName: string,
  action: string,
  fn: (ctx: Transaction) => Promise<void>,
): Promise<void> {
  await database.inTransaction(async ctx => {
    // what is meant for requests would end a long copy
    await database.execute('set local statement_timeout to 0', [], ctx);
    await lockTenant(database, schemaName, ctx);

    if (!(await isOwned(database, schemaName, 'rename', ctx))) {
      throw SchemaMissingError.ofTenant(schemaName);
    }

    try {
      await fn(ctx);
    } catch (error) {
      throw error instanceof TenantError ? error : PlacementError.refused(schemaName, action, error);
    }
  });
}

const STRATEGIES = { size: 'by_disk_size', count: 'by_shard_count' } as const;

const MOVE = `select citus_schema_move(?::regnamespace, ?::text, ?::int, 'auto')`;

const DISTRIBUTE = 'select citus_schema_distribute(?::regnamespace)';

// each table of a schema is named, and all of them move together
const PLAN = `select n.nspname as name, min(p.sourcename || ':' || p.sourceport) as source, min(p.targetname || ':' || p.targetport) as target
  from get_rebalance_table_shards_plan(rebalance_strategy => ?::name) p
  join pg_class c on c.oid = p.table_name::oid join pg_namespace n on n.oid = c.relnamespace join pg_dist_schema s on s.schemaid = n.oid
  group by n.nspname order by 1`;
