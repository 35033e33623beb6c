import type { TestKitOptions } from '../kit-options.js';
import { WorkerKit } from './worker-kit.js';

/** The kit with Jest's hooks, to be called once in each file of tests, before its tests. */
export function jestKit<Orm extends object>(options: TestKitOptions<Orm>): WorkerKit<Orm> {
  const worker = new WorkerKit(options);
  const { beforeAll, beforeEach, afterEach, afterAll, expect } = globalThis as unknown as JestGlobals;
  beforeAll(() => worker.open(), START_TIMEOUT_MS);
  beforeEach(() => worker.begin(expect.getState().currentTestName ?? ''));
  afterEach(() => worker.end());
  afterAll(() => worker.close(), START_TIMEOUT_MS);

  return worker;
}

/** The first worker makes the template. */
const START_TIMEOUT_MS = 120_000;

interface JestGlobals {
  readonly beforeAll: (fn: () => Promise<unknown>, timeout?: number) => void;
  readonly beforeEach: (fn: () => Promise<unknown>) => void;
  readonly afterEach: (fn: () => Promise<unknown>) => void;
  readonly afterAll: (fn: () => Promise<unknown>, timeout?: number) => void;
  readonly expect: { getState(): { readonly currentTestName?: string } };
}
