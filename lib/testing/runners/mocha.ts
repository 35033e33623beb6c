import type { TestKitOptions } from '../kit-options.js';
import { WorkerKit } from './worker-kit.js';

/**
 * The kit with mocha's root hooks, one for each process of a run. Export `mochaHooks` of what it returns from a file that `require` of
 * `.mocharc` names; with `--parallel`, each process loads it.
 */
export function mochaKit<Orm extends object>(options: TestKitOptions<Orm>): MochaKit<Orm> {
  const worker = new WorkerKit(options);

  return Object.assign(worker, {
    mochaHooks: {
      async beforeAll(this: MochaContext) {
        this.timeout(START_TIMEOUT_MS);
        await worker.open();
      },
      async beforeEach(this: MochaContext) {
        await worker.begin(this.currentTest?.fullTitle() ?? '');
      },
      async afterEach() {
        await worker.end();
      },
      async afterAll() {
        await worker.close();
      },
    },
  });
}

/** The first worker makes the template. */
const START_TIMEOUT_MS = 120_000;

export interface MochaKit<Orm extends object> extends WorkerKit<Orm> {
  readonly mochaHooks: {
    beforeAll(this: MochaContext): Promise<void>;
    beforeEach(this: MochaContext): Promise<void>;
    afterEach(): Promise<void>;
    afterAll(): Promise<void>;
  };
}

interface MochaContext {
  readonly currentTest?: { fullTitle(): string } | undefined;
  timeout(ms: number): unknown;
}
