import { TenantError, type TenantErrorCode } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { failureOf } from './failure.ts';

/** The library's own error of the refused work. Fails if the work succeeds, fails with another error, or has another code than the given one. */
export async function refusal(
  work: Promise<unknown> | (() => unknown),
  code?: TenantErrorCode,
  label: string = code ?? 'the work',
): Promise<TenantError> {
  const error = await failureOf(work, label);

  if (!(error instanceof TenantError)) {
    throw error;
  }

  expect(error.code, `${label}: ${error.message}`).to.equal(code ?? error.code);

  return error;
}
