import type { Transaction } from '@mikro-orm/core';
import { onCommit } from './on-commit.js';
import type { TenantDatabase } from './tenant-database.js';
import { ALL_TENANTS, channelOf, notifySql } from './change-channel.js';

/**
 * Tells every process, in the transaction that changes them, that these tenants have changed; it is heard when that is committed. Given
 * are the schema names they had and have; one that is not known stands for all tenants. Also where there is the trigger, which may not
 * be in the database yet: PostgreSQL passes on one of two equal notices.
 */
export async function tellChanges(
  database: TenantDatabase,
  schemaNames: readonly (string | undefined)[],
  ctx: Transaction | undefined,
): Promise<void> {
  const { publicSchema, tenantMeta, directory } = database;
  const known = schemaNames.filter(name => name !== undefined);
  const all = known.length < schemaNames.length;
  const payloads = all ? [ALL_TENANTS] : [...new Set(known)];
  const channel = channelOf(publicSchema, tenantMeta.root.tableName);
  await database.execute(
    notifySql(payloads.length),
    payloads.flatMap(payload => [channel, payload]),
    ctx,
  );
  const seeAtOnce = (): void => directory.forget(...(all ? [] : payloads));

  // this process need not wait until it is told
  if (ctx === undefined) {
    seeAtOnce();
  } else {
    onCommit(ctx, seeAtOnce);
  }
}
