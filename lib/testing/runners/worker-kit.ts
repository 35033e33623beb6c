import { TestError } from '../../errors/testing-errors.js';
import { openTestKit, type TestKit } from '../kit.js';
import type { TestKitOptions, TestOptions } from '../kit-options.js';

/** The kit of one worker, as the hooks of a runner open, use and close it. Without a runner of its own, call its methods from yours. */
export class WorkerKit<Orm extends object> {
  readonly #options: TestKitOptions<Orm>;
  #kit: TestKit<Orm> | undefined;
  #next: TestOptions = {};

  constructor(options: TestKitOptions<Orm>) {
    this.#options = options;
  }

  /** The kit, from the first hook on. */
  get kit(): TestKit<Orm> {
    if (this.#kit === undefined) {
      throw TestError.noTest('The kit');
    }

    return this.#kit;
  }

  /** To be called before the first test. */
  async open(): Promise<TestKit<Orm>> {
    this.#kit ??= await openTestKit(this.#options);

    return this.#kit;
  }

  /** To be called before each test, with its full name. */
  async begin(name: string, options: TestOptions = this.#next): Promise<void> {
    await this.kit.begin(name, options);
  }

  /** To be called after each test. */
  async end(): Promise<void> {
    await this.#kit?.end();
  }

  /** To be called after the last test. */
  async close(): Promise<void> {
    await this.#kit?.close();
    this.#kit = undefined;
  }

  /** How the next tests are run, from a hook that runs once before them: `before(() => worker.use({ mode: 'real' }))`. */
  use(options: TestOptions): void {
    this.#next = options;
  }
}
