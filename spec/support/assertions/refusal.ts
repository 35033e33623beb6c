import { TenantError } from '@landlord/mikro-orm';

/** The library's own error that the work is refused with. Fails where the work succeeds, and passes any other error on. */
export async function refusal(work: Promise<unknown> | (() => unknown)): Promise<TenantError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof TenantError) {
      return error;
    }

    throw error;
  }

  throw new Error('It was not refused.');
}
