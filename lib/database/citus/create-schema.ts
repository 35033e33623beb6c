import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../tenant-database.js';

/**
 * The statements that create a schema, which has to be quoted. On Citus it is said for this one statement whether it is sharded: what is set for the
 * database or the role is not meant for tenants alone.
 */
export async function createSchemaStatements(
  database: TenantDatabase,
  quoted: string,
  { isSharded, ctx }: { readonly isSharded: boolean; readonly ctx: Transaction },
): Promise<string[]> {
  const create = `create schema ${quoted}`;

  if ((await database.engine.citus(ctx)) === undefined) {
    return [create];
  }

  return isSharded ? [shard('on'), create, shard('off')] : [shard('off'), create];
}

function shard(value: 'on' | 'off'): string {
  return `set local citus.enable_schema_based_sharding to ${value}`;
}
