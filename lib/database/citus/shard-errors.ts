import { setTimeout as sleep } from 'node:timers/promises';
import type { Configuration } from '@mikro-orm/core';
import { isNamed, shardNamesIn } from '../../postgres/citus-errors.js';
import { TenantDatabase } from '../tenant-database.js';

/** What PostgreSQL says of a violated constraint in fields of its own. */
export interface ShardFields {
  readonly schema: string;
  readonly table: string;
  readonly constraint: string;
}

/**
 * The constraint that an error of a node of Citus is about, and its table: the error names shards alone. Undefined for any other error, and where it
 * cannot be found out in time.
 *
 * It is looked up on a connection of its own, because the transaction of the error has failed. With a pool of one there is none.
 */
export async function fieldsOfShard(config: Configuration, error: unknown): Promise<ShardFields | undefined> {
  const names = shardNamesIn(error);
  const database = names.length === 0 ? undefined : TenantDatabase.find(config);

  if (database === undefined) {
    return undefined;
  }

  const controller = new AbortController();
  const late = sleep(LONGEST_MS, undefined, { signal: controller.signal }).catch(() => undefined);

  try {
    const shards = [...new Set(names.map(({ shard }) => shard))];
    const rows = await Promise.race([database.execute<FoundConstraint>(CONSTRAINTS, [shards], undefined).catch(() => undefined), late]);

    return rows?.find(({ shard, constraint }) => names.some(name => name.shard === shard && isNamed(name, constraint)));
  } finally {
    controller.abort();
  }
}

interface FoundConstraint extends ShardFields {
  readonly shard: string;
}

const CONSTRAINTS = `select s.shardid::text as shard, n.nspname::text as schema, c.relname::text as "table", k.conname::text as "constraint"
  from pg_dist_shard s join pg_class c on c.oid = s.logicalrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_constraint k on k.conrelid = c.oid where s.shardid in (?)`;

const LONGEST_MS = 2_000;
