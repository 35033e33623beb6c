import type { TestAPI } from 'vitest';
import type { TestKit } from '../kit.js';
import type { TestKitOptions, TestOptions } from '../kit-options.js';
import { WorkerKit } from './worker-kit.js';

/**
 * Vitest's `test` with the kit as fixtures: `kit`, one for each worker, in which each test has begun; and `mode`, which
 * `test.override({ mode: 'real' })` changes for the tests of a `describe`.
 */
export function vitestKit<Orm extends object>(test: TestAPI, options: TestKitOptions<Orm>): TestAPI<VitestFixtures<Orm>> {
  // which fixtures there are is told by the type that is returned
  const extended = (test.extend as (fixtures: object) => unknown)({
    mode: 'transaction',
    worker: [
      // vitest reads the names of the fixtures that are wanted in the pattern
      // oxlint-disable-next-line no-empty-pattern
      async ({}, use: (worker: WorkerKit<Orm>) => Promise<void>) => {
        const worker = new WorkerKit(options);
        await worker.open();

        try {
          await use(worker);
        } finally {
          await worker.close();
        }
      },
      { scope: 'worker', auto: true },
    ],
    kit: [
      async ({ worker, mode, task }: Context<Orm>, use: (kit: TestKit<Orm>) => Promise<void>) => {
        await worker.begin(fullNameOf(task), { mode });

        try {
          await use(worker.kit);
        } finally {
          await worker.end();
        }
      },
      { auto: true },
    ],
  });

  return extended as TestAPI<VitestFixtures<Orm>>;
}

function fullNameOf({ name, suite }: Task): string {
  return suite === undefined || suite.name === '' ? name : `${fullNameOf(suite)} ${name}`;
}

export interface VitestFixtures<Orm extends object> {
  readonly mode: NonNullable<TestOptions['mode']>;
  readonly kit: TestKit<Orm>;
}

interface Context<Orm extends object> {
  readonly worker: WorkerKit<Orm>;
  readonly mode: NonNullable<TestOptions['mode']>;
  readonly task: Task;
}

interface Task {
  readonly name: string;
  readonly suite?: Task;
}
