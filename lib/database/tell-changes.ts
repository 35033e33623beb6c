import type { Transaction } from '@mikro-orm/core';
import { aroundCommit } from './on-commit.js';
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
  const { calls, params } = noticeOf(database, schemaNames);
  await database.execute(`select ${calls}`, params, ctx);
  publishChanges(database, schemaNames, ctx);
}

/** The notice as expressions without parameters, to be sent with others. `publishChanges` has to follow. */
export function noticeText(database: TenantDatabase, schemaNames: readonly string[]): string {
  const { calls, params } = noticeOf(database, schemaNames);

  return database.orm.em.getPlatform().formatQuery(calls, params);
}

/** Reports the change inside this process, once it is committed, or may be: nobody knows of a commit whose answer is lost. */
export function publishChanges(database: TenantDatabase, schemaNames: readonly (string | undefined)[], ctx: Transaction | undefined): void {
  const known = schemaNames.filter(name => name !== undefined);
  const names = known.length < schemaNames.length ? [] : [...new Set(known)];
  const publishHere = (): void => database.changes.publish(...names);

  // this process need not wait for the notice
  if (ctx === undefined) {
    publishHere();
  } else {
    aroundCommit(ctx, () => {
      // what is read meanwhile may be answered before the commit is
      const end = database.rules.identities.beginChange(names);

      return () => {
        end();
        publishHere();
      };
    });
  }
}

function noticeOf(database: TenantDatabase, schemaNames: readonly (string | undefined)[]): { calls: string; params: string[] } {
  const { publicSchema, tenantMeta } = database.rules;
  const payloads = [...new Set(schemaNames.includes(undefined) ? [ALL_TENANTS] : schemaNames.filter(name => name !== undefined))];
  const channel = channelOf(publicSchema, tenantMeta.root.tableName);

  return { calls: notifySql(payloads.length), params: payloads.flatMap(payload => [channel, payload]) };
}
