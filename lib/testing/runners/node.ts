import { after, afterEach, before, beforeEach } from 'node:test';
import type { TestKitOptions } from '../kit-options.js';
import { WorkerKit } from './worker-kit.js';

/** The kit with the hooks of `node:test`, to be called once in each file of tests, before its tests. */
export function nodeKit<Orm extends object>(options: TestKitOptions<Orm>): WorkerKit<Orm> {
  const worker = new WorkerKit(options);
  before(() => worker.open());
  beforeEach(test => worker.begin((test as { readonly fullName?: string }).fullName ?? test.name));
  afterEach(() => worker.end());
  after(() => worker.close());

  return worker;
}
