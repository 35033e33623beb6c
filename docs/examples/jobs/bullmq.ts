import { captureTenant, resumeTenant, TenantJobError, type CapturedWork, type TenantEntityManager } from '@landlord/mikro-orm';

// #region types
/** What is used of a `Queue` of BullMQ. */
interface Queue {
  add(name: string, data: object, options?: { jobId?: string; attempts?: number }): Promise<unknown>;
}

/** What is used of a `Job`. */
interface Job {
  readonly data: { readonly tenant: CapturedWork; readonly bookId: number };
}
// #endregion types

// #region recipe
export async function announceLater(queue: Queue, bookId: number): Promise<void> {
  await queue.add('announce', { tenant: captureTenant(), bookId }, { attempts: 5 });
}

/** The processor of a `Worker`. Pass the class `UnrecoverableError` of BullMQ: it is not tried again. */
export function processor(
  UnrecoverableError: new (message: string) => Error,
  announce: (em: TenantEntityManager, bookId: number) => Promise<void>,
): (job: Job) => Promise<void> {
  return async ({ data }) => {
    try {
      await resumeTenant(data.tenant, em => announce(em, data.bookId));
    } catch (error) {
      throw error instanceof TenantJobError && !error.retryable ? new UnrecoverableError(error.message) : error;
    }
  };
}
// #endregion recipe
