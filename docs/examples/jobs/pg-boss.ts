import {
  captureTenant,
  forEachTenant,
  resumeTenant,
  TenantJobError,
  type CapturedWork,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import { fromKysely, PgBoss } from 'pg-boss';
import { Book } from '../bookshop/entities.js';

// #region queue
/** What is stored with a job. */
export interface AnnounceJob {
  readonly tenant: CapturedWork;
  readonly bookId: number;
}

export async function openQueue(connectionString: string): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString });
  boss.on('error', error => console.error(error));
  await boss.start();
  await boss.createQueue('announce', { retryLimit: 5, retryDelay: 1 });

  return boss;
}
// #endregion queue

// #region send
/** Stores a book and queues the job for it, in one transaction of the tenant. */
export async function addBook(em: TenantEntityManager, boss: PgBoss, title: string): Promise<void> {
  await em.transactional(async tx => {
    const book = tx.create(Book, { title });
    await tx.flush();
    const job: AnnounceJob = { tenant: captureTenant(), bookId: book.id };
    // on the connection of the transaction: if that is rolled back, nothing was queued
    await boss.send('announce', job, { db: fromKysely(tx.getTransactionContext()!) });
  });
}
// #endregion send

// #region work
export async function workOn(boss: PgBoss, announce: (title: string) => Promise<void>): Promise<void> {
  await boss.work<AnnounceJob, void, { perJobResults: true; batchSize: number; pollingIntervalSeconds: number }>(
    'announce',
    { perJobResults: true, batchSize: 10, pollingIntervalSeconds: 0.5 },
    jobs =>
      Promise.all(
        jobs.map(async ({ id, data }) => {
          try {
            await resumeTenant(data.tenant, async em => announce((await em.findOneOrFail(Book, data.bookId)).title));

            return { id, status: 'completed' as const };
          } catch (error) {
            const isFinal = error instanceof TenantJobError && !error.retryable;

            // `deadletter` is not tried again
            return { id, status: isFinal ? ('deadletter' as const) : ('failed' as const), output: { message: String(error) } };
          }
        }),
      ),
  );
}
// #endregion work

// #region schedule
/** Queues one job a night, whose worker visits the tenants. */
export async function scheduleCleaning(boss: PgBoss, clean: (em: TenantEntityManager) => Promise<void>): Promise<void> {
  await boss.createQueue('clean');
  await boss.schedule('clean', '0 3 * * *');
  await boss.work('clean', { pollingIntervalSeconds: 0.5 }, () => cleanAll(clean));
}
// #endregion schedule

// #region each
/** Four tenants at a time. Those that fail are named in the result, and hold up no other. */
export async function cleanAll(clean: (em: TenantEntityManager) => Promise<void>): Promise<{ failed: string[] }> {
  const outcomes = await forEachTenant(em => clean(em), { concurrency: 4, settle: true });

  return { failed: outcomes.flatMap(outcome => (outcome.ok ? [] : [`${outcome.schemaName}: ${String(outcome.error)}`])) };
}
// #endregion each
