import type { Transaction } from '@mikro-orm/core';
import { onFailedCommit } from '../database/on-commit.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import type { TenantFailure } from '../tenant/hook-options.js';

/** Runs `fn` in the transaction `ctx`, and notes its failure, or that of the commit. */
export async function notingFailure<Result>(
  { rules: { failures } }: TenantDatabase,
  { ctx, ...failure }: Omit<TenantFailure, 'error'> & { readonly ctx: Transaction },
  fn: () => Promise<Result>,
): Promise<Result> {
  const result = await failures.noting(failure, fn);
  onFailedCommit(ctx, error => failures.note(error, failure));

  return result;
}
