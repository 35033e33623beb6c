import { TenantError, type TenantErrorCode } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { failureOf } from './failure.ts';

/** The library's own error that the work is refused with, by this code where one is given. Fails where the work succeeds or fails otherwise. */
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
