import { captureTenant, resumeTenant, TenantJobError, type CapturedWork, type TenantEntityManager } from '@landlord/mikro-orm';
import { consoleLogFactory, Logger, run, type Runner, type Task } from 'graphile-worker';
import { Book } from '../bookshop/entities.js';

export interface AnnounceJob {
  readonly tenant: CapturedWork;
  readonly bookId: number;
}

// #region add
/** Stores a book and queues the job for it, in one transaction of the tenant. */
export async function addBook(em: TenantEntityManager, title: string): Promise<void> {
  await em.transactional(async tx => {
    const book = tx.create(Book, { title });
    await tx.flush();
    const job: AnnounceJob = { tenant: captureTenant(), bookId: book.id };
    await tx.execute('select from graphile_worker.add_job(?, payload => ?::json)', ['announce', JSON.stringify(job)]);
  });
}
// #endregion add

// #region work
/** A task that runs in the tenant of its job. A job that no attempt can run is reported and ends. */
export function inTenant<Job extends { readonly tenant: CapturedWork }>(fn: (em: TenantEntityManager, job: Job) => Promise<void>): Task {
  return async (payload, { logger }) => {
    const job = payload as Job;

    try {
      await resumeTenant(job.tenant, em => fn(em, job));
    } catch (error) {
      if (!(error instanceof TenantJobError) || error.retryable) {
        throw error;
      }

      logger.error(error.message);
    }
  };
}

export async function startWorker(
  connectionString: string,
  announce: (title: string) => Promise<void>,
  logger = new Logger(consoleLogFactory),
): Promise<Runner> {
  return run({
    connectionString,
    logger,
    concurrency: 4,
    taskList: {
      announce: inTenant<AnnounceJob>(async (em, { bookId }) => announce((await em.findOneOrFail(Book, bookId)).title)),
    },
  });
}
// #endregion work
