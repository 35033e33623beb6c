import { AsyncLocalStorage } from 'node:async_hooks';
import { TestError } from '../errors/testing-errors.js';
import { innermostScope } from '../scope/scope.js';
import { leaveScope } from '../orm/mikro-context.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { Tenancy } from '../tenancy.js';
import type { TestKitOptions, TestOptions } from './kit-options.js';
import { setTestName } from './assertions.js';
import { fillTemplate } from './fill-template.js';
import { MovedOrm } from './moved-orm.js';
import { TestLook } from './test-look.js';
import { TestTenants, type TestTenantData } from './test-tenants.js';
import { checksAtCommit } from './transaction/checks-at-commit.js';
import { TestTransaction } from './transaction/test-transaction.js';
import type { Wire } from './transaction/wire.js';
import { openWorkerDatabase, type WorkerDatabase } from './worker-database.js';

/**
 * Makes the database of this worker, and moves the application's ORM to it. `close()` leaves it to the next start, unless something was committed
 * in it: then it is dropped. That of a killed worker is dropped by the next start. If it fails, the ORM is closed.
 *
 * @throws TestDatabaseError `TEST_SERVER` or `TEST_TEMPLATE`
 */
export async function openTestKit<Orm extends object>(options: TestKitOptions<Orm>): Promise<TestKit<Orm>> {
  const orm = (typeof options.orm === 'function' ? await options.orm() : options.orm) as Orm & WrappedOrm;
  const kit = new TestKit<Orm>(orm, options);

  try {
    await kit.open();
  } catch (error) {
    // it would else go on to the database of its config
    await orm.close(true).catch(() => undefined);
    throw error;
  }

  return kit;
}

/** One worker of a run of tests: its database, its ORM, and the test that is running. */
export class TestKit<Orm extends object = WrappedOrm> {
  /** The application's ORM, on the database of this worker. */
  readonly orm: Orm;
  readonly #options: TestKitOptions<Orm>;
  readonly #tenants: TestTenants;
  readonly #moved: MovedOrm;
  readonly #outside = new AsyncLocalStorage<true>();
  readonly #closeOrm: WrappedOrm['close'];
  #database: WorkerDatabase | undefined;
  #wire: (Wire & { close(isBroken: boolean): void }) | undefined;
  #test: RunningTest | undefined;

  /** For `openTestKit()`, which makes it. */
  constructor(orm: Orm & WrappedOrm, options: TestKitOptions<Orm>) {
    this.orm = orm;
    this.#options = options;
    this.#tenants = new TestTenants(orm, options);
    this.#moved = new MovedOrm(orm, () => this.#source());
    this.#closeOrm = orm.close.bind(orm);
  }

  /** The URL of the worker's database. Undefined on PGlite. */
  get url(): string | undefined {
    return this.#database?.url;
  }

  /** The name of the test that is running. */
  get testName(): string | undefined {
    return this.#test?.name;
  }

  /** Whether the running test is rolled back. */
  get isRolledBack(): boolean {
    return this.#test?.transaction !== undefined;
  }

  /** @internal */
  async open(): Promise<void> {
    const { url, readyTenants = DEFAULT_READY, prepare, version, tenant } = this.#options;
    await this.#outside.run(true, async () => {
      this.#database = await openWorkerDatabase({
        moved: this.#moved,
        database: this.#tenancy.database,
        url,
        key: [readyTenants, version, String(prepare), String(tenant)],
        source: () => this.#source(),
        migrate: () => fillTemplate(this.#orm, { prepare: () => prepare?.(this.orm), tenants: this.#tenants, readyTenants }),
      });
      this.#wire = await this.#database.wire();
      await this.#tenants.findReady();
    });
    // an application that a test closes would take the ORM from the tests that follow
    this.#orm.close = async () => undefined;
  }

  /**
   * Begins a test. Until `end()`, all that goes through the ORM is in the test's transaction.
   *
   * @throws TestError `TEST_USAGE` if another test is running.
   */
  async begin(name: string, { mode = 'transaction' }: TestOptions = {}): Promise<void> {
    if (this.#test !== undefined) {
      throw TestError.twoTests(this.#test.name, name);
    }

    const wire = this.#wire;

    if (wire === undefined) {
      throw TestError.usage('The kit is closed. Open one for each worker by `openTestKit()`, and close it after the last test.');
    }

    const { database } = this.#tenancy;
    const transaction =
      mode === 'real'
        ? undefined
        : new TestTransaction(name, {
            wire,
            isInTransaction: () => database.isInTransaction,
            checksAtCommit: checksAtCommit(database.orm),
          });
    this.#forget();
    this.#tenants.begin();

    if (transaction === undefined) {
      this.#database?.change();
    }

    this.#test = { name, transaction, look: new TestLook(this.#tenancy, transaction) };
    setTestName(name);
  }

  /**
   * Ends the test, and takes back all that it did.
   *
   * @throws TestError `TEST_UNFINISHED` if the test has left a scope, or work that is under way.
   */
  async end(): Promise<void> {
    const test = this.#test;

    if (test === undefined) {
      return;
    }

    const scope = innermostScope();
    const unfinished = (await test.transaction?.end()) ?? [];
    this.#test = undefined;
    setTestName(undefined);
    this.#forget();

    await this.#outside.run(true, () => (test.transaction === undefined ? this.#renew() : this.#tenants.grow()));

    if (unfinished.length > 0) {
      throw TestError.unfinished(test.name, unfinished);
    }

    if (scope !== undefined) {
      throw TestError.scopeLeft(test.name, scope.kind === 'tenant' ? scope.schemaName : 'public');
    }
  }

  /** Runs a test from its beginning to its end, for runners without hooks. The error of the test comes first. */
  async run<Result>(name: string, fn: () => Result | Promise<Result>, options?: TestOptions): Promise<Result> {
    await this.begin(name, options);
    let result: Result;

    try {
      result = await fn();
    } catch (error) {
      await this.end().catch(() => undefined);
      throw error;
    }

    await this.end();

    return result;
  }

  /**
   * A tenant for the running test: its row, schema and tables. It is a ready one while there is one. `data` is what its row has, also in place
   * of the names that it gets.
   *
   * @throws TestError `TEST_USAGE` outside of a test.
   */
  async testTenant<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>>(data: TestTenantData = {}): Promise<Tenant> {
    const { look } = this.#running('`testTenant()`');
    const { tenant, isNew } = await leaveScope(() => this.#tenants.take(data));
    await look.took(tenant, { isNew });

    return tenant as Tenant;
  }

  /**
   * Says that the test has arranged what it needs: `expectUntouched()` looks at what is changed from here on, and not since its tenants were
   * made. A test that commits has to say it.
   */
  async arranged(): Promise<void> {
    await this.#running('`arranged()`').look.begin();
  }

  /**
   * Fails if a row, a sequence or a table of these tenants, or of the public schema, was changed in this test, also if the change was rolled
   * back. What `testTenant()` does itself is no change.
   *
   * @throws TestError `TEST_LEAK`
   */
  async expectUntouched(...which: readonly ('public' | Pick<TenantMixin<unknown>, 'schemaName'>)[]): Promise<void> {
    const { name, look } = this.#running('`expectUntouched()`');
    const { publicSchema } = this.#tenancy.rules;
    const changed = await look.changesIn(which.map(each => (each === 'public' ? publicSchema : each.schemaName)));

    if (changed.length > 0) {
      throw TestError.leak(name, [`what was to be left alone was changed: ${changed.join(', ')}`]);
    }
  }

  /** Runs `fn` outside of tests. What it changes is committed, and is there for all later tests of this worker. */
  async outside<Result>(fn: () => Result | Promise<Result>): Promise<Result> {
    this.#database?.change();

    return this.#outside.run(true, async () => fn());
  }

  /** Closes the ORM and drops the database. */
  async close(): Promise<void> {
    await this.end().catch(() => undefined);
    this.#wire?.close(false);
    this.#wire = undefined;
    this.#orm.close = this.#closeOrm;
    // the directory too, which would else connect again
    await this.#closeOrm(true);
    await this.#database?.close();
    this.#database = undefined;
  }

  #running(what: string): RunningTest {
    if (this.#test === undefined) {
      throw TestError.noTest(what);
    }

    return this.#test;
  }

  /** What a connection is given of: the test's transaction, or the pool. */
  #source(): TestTransaction | undefined {
    if (this.#outside.getStore() === true) {
      return undefined;
    }

    if (this.#test === undefined) {
      throw TestError.noTest('The database');
    }

    return this.#test.transaction;
  }

  async #renew(): Promise<void> {
    this.#wire?.close(false);
    await this.#database?.renew();
    this.#wire = await this.#database?.wire();
    await this.#tenants.findReady();
  }

  get #orm(): WrappedOrm {
    return this.orm as Orm & WrappedOrm;
  }

  /** What is remembered of one test's tenants must not answer the next one. */
  #forget(): void {
    const { database } = this.#tenancy;
    const { config, em } = database.orm;
    database.changes.publish();
    void config.getResultCacheAdapter().clear();

    if (config.get('allowGlobalContext')) {
      em.clear();
    }
  }

  get #tenancy(): Tenancy {
    return Tenancy.of(this.#orm.config);
  }
}

const DEFAULT_READY = 2;

interface RunningTest {
  readonly name: string;
  /** Undefined where the test commits. */
  readonly transaction: TestTransaction | undefined;
  readonly look: TestLook;
}
