import { resumeTenant, TenantJobError, type CapturedWork, type TenantEntityManager } from '@landlord/mikro-orm';
import { Task } from './entities.ts';
import { log } from './log.ts';

/** What is stored with a job. */
export interface CleanJob {
  readonly tenant: CapturedWork;
}

/**
 * A queue in memory, which does one job after another: it deletes the tasks of a team that are done. What is queued is JSON, as in a queue of
 * PostgreSQL or Redis, and is lost when the process ends. The guide on jobs has queues that last.
 */
export class Jobs {
  readonly #em: TenantEntityManager;
  #last: Promise<void> = Promise.resolve();

  constructor(em: TenantEntityManager) {
    this.#em = em;
  }

  add(job: CleanJob): void {
    const stored = JSON.stringify(job);
    this.#last = this.#last.then(() => this.#work(JSON.parse(stored) as CleanJob));
  }

  /** Resolves when all jobs so far are done. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #work({ tenant }: CleanJob): Promise<void> {
    try {
      await resumeTenant(tenant, async () => log(`${await this.#em.nativeDelete(Task, { isDone: true })} tasks were deleted`));
    } catch (error) {
      log(`a job has failed${error instanceof TenantJobError && !error.retryable ? ' for good' : ''}: ${String(error)}`);
    }
  }
}
