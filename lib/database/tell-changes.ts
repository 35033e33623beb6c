import type { Transaction } from '@mikro-orm/core';
import { onCommit } from './on-commit.js';
import type { TenantDatabase } from './tenant-database.js';
import { ALL_TENANTS, channelOf, notifySql } from './change-channel.js';

/**
 * Notifies every process that tenants changed. The notice is sent in the transaction that changes them, and PostgreSQL delivers it on
 * commit. `schemaNames` are the old and the new names. `undefined` stands for an unknown name, and reports all tenants as changed.
 *
 * The notice is sent even if the table has a trigger, because the trigger's migration may not have run yet. PostgreSQL delivers equal notices
 * of one transaction once.
 */
export async function tellChanges(
  database: TenantDatabase,
  schemaNames: readonly (string | undefined)[],
  ctx: Transaction | undefined,
): Promise<void> {
  const { publicSchema, tenantMeta } = database.rules;
  const known = schemaNames.filter(name => name !== undefined);
  const all = known.length < schemaNames.length;
  const payloads = all ? [ALL_TENANTS] : [...new Set(known)];
  const channel = channelOf(publicSchema, tenantMeta.root.tableName);
  await database.execute(
    notifySql(payloads.length),
    payloads.flatMap(payload => [channel, payload]),
    ctx,
  );
  const publishHere = (): void => database.changes.publish(...(all ? [] : payloads));

  // this process need not wait for the notice
  if (ctx === undefined) {
    publishHere();
  } else {
    onCommit(ctx, publishHere);
  }
}
