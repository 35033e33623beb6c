import type { Transaction } from '@mikro-orm/core';
import { commentOn, type MarkedTenant } from '../database/deleted-tenants.js';
import { SCHEMA_COMMENT } from '../database/owned-schemas.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { RunUsageError } from '../errors/index.js';
import { dropSchema } from './schemas.js';

/** Which deleted tenants are dropped for good. */
export interface PurgeOptions {
  /**
   * Those that were deleted longer ago than this: milliseconds, or a text such as `30d`, `12h` or `45m`.
   *
   * @default all
   */
  readonly olderThan?: number | string;

  /** Those with these ids or former names. An unknown one is an error before anything is dropped. @default all */
  readonly only?: readonly string[];

  /** As for `drop()`. @default false */
  readonly cascade?: boolean;
}

/** What has been dropped for good. */
export interface PurgeResult {
  readonly purged: readonly { readonly id: string; readonly schemaName: string | undefined }[];
  readonly failed: readonly { readonly id: string; readonly schemaName: string | undefined; readonly error: unknown }[];
}

/** The deleted tenants that are meant, as of this time of the server. */
export function selectForPurge(
  deleted: readonly MarkedTenant[],
  { olderThan, only }: Pick<PurgeOptions, 'olderThan' | 'only'>,
  now: number,
): MarkedTenant[] {
  const before = olderThan === undefined ? Infinity : now - millisecondsOf(olderThan);

  return deleted.filter(
    ({ id, schemaName, deletedAt }) =>
      (only === undefined || only.includes(id) || (schemaName !== undefined && only.includes(schemaName))) &&
      // one whose mark is gone is purged if it is named, or where age does not matter
      (olderThan === undefined || (deletedAt !== undefined && deletedAt.getTime() < before)),
  );
}

/**
 * Drops the schema of a deleted tenant, and its role. The row has to be gone.
 *
 * @throws SchemaInUseError `SCHEMA_IN_USE`, LockTableError `LOCK_TABLE_TOO_SMALL`
 */
export async function dropDeleted(
  database: TenantDatabase,
  { id, hasSchema, schemaName }: MarkedTenant,
  { ctx, cascade }: { readonly ctx: Transaction; readonly cascade: boolean },
): Promise<void> {
  // one without the mark is not known to be the library's
  if (hasSchema && schemaName !== undefined) {
    await commentOn(database, id, SCHEMA_COMMENT, ctx);
  }

  await dropSchema(database, id, { ctx, cascade });
}

/**
 * Milliseconds of a text such as `30d`.
 *
 * @throws RunUsageError `RUN_USAGE`
 */
export function millisecondsOf(age: number | string): number {
  const [, amount, unit = ''] = /^(\d+)([smhdw])$/.exec(String(age)) ?? [];
  const milliseconds = typeof age === 'number' ? age : Number(amount) * (UNITS[unit] ?? Number.NaN);

  if (!(milliseconds >= 0)) {
    throw RunUsageError.option('--older-than', age, 'a number with a unit, such as 30d, 12h or 45m');
  }

  return milliseconds;
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
