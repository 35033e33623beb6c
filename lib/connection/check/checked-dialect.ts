import { CheckedConnection } from './checked-connection.js';
import { PASSED_ON, usingDriver, type UsingDriver } from '../pool/connection-use.js';
import type { ConnectionUse, DatabaseConnection, Dialect, Driver } from '../statements/kysely-types.js';
import { sendOn } from '../pool/server-status.js';
import { tagStatements, type TagOf } from '../statements/sql-tags.js';
import type { CommitSettings, TenantCheck } from './tenant-check.js';

/**
 * A Kysely dialect of which every connection holds its statements to the tenant that they are for. It stands below the guard: what the guard
 * runs in a transaction of its own is held to the tenant like any other.
 */
export function checkDialect(dialect: Dialect, check: TenantCheck, settings: CheckedSettings): Dialect {
  return {
    createDriver: () => new CheckedDriver(dialect.createDriver(), check, settings),
    createAdapter: () => dialect.createAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: db => dialect.createIntrospector(db),
  };
}

export interface CheckedSettings extends CommitSettings {
  /** What each statement is sent with. Undefined where they are sent as they are. */
  readonly tagOf: () => TagOf | undefined;
}

class CheckedDriver implements Driver, UsingDriver {
  readonly takesUse = true;
  readonly #driver: Driver;
  readonly #using: UsingDriver;
  readonly #check: TenantCheck;
  readonly #settings: CheckedSettings;
  readonly #connections = new WeakMap<DatabaseConnection, CheckedConnection>();

  constructor(driver: Driver, check: TenantCheck, settings: CheckedSettings) {
    this.#driver = driver;
    this.#using = usingDriver(driver);
    this.#check = check;
    this.#settings = settings;
  }

  async init(options?: object): Promise<void> {
    await this.#driver.init(options);
  }

  async destroy(options?: object): Promise<void> {
    await this.#driver.destroy(options);
  }

  acquireConnection<Result = CheckedConnection>(
    options?: object,
    { use, fail }: ConnectionUse<CheckedConnection, Result> = PASSED_ON,
  ): Promise<Result> {
    return this.#using.acquireConnection(options, {
      use: inner => {
        let connection: CheckedConnection;

        try {
          connection = this.#checked(inner);
        } catch (error) {
          return fail(error);
        }

        return use(connection);
      },
      fail,
    });
  }

  // made once, as every statement waits for it
  readonly #checked = (inner: DatabaseConnection): CheckedConnection => {
    let connection = this.#connections.get(inner);

    if (connection === undefined) {
      const tagOf = this.#settings.tagOf();

      if (tagOf !== undefined) {
        tagStatements(inner, tagOf);
      }

      connection = new CheckedConnection(inner, { driver: this.#driver, check: this.#check, settings: this.#settings });
      sendOn(connection, inner);
      this.#connections.set(inner, connection);
    }

    return connection;
  };

  releaseConnection({ inner }: CheckedConnection, options?: object): Promise<void> {
    return this.#driver.releaseConnection(inner, options);
  }

  beginTransaction(connection: CheckedConnection, settings: object): Promise<void> {
    return connection.begin(settings);
  }

  commitTransaction(connection: CheckedConnection): Promise<void> {
    return connection.commit();
  }

  rollbackTransaction(connection: CheckedConnection): Promise<void> {
    return connection.rollback();
  }

  async savepoint(connection: CheckedConnection, name: string, compileQuery: unknown): Promise<void> {
    await this.#driver.savepoint?.(connection.inner, name, compileQuery);
    connection.transaction?.savepoint(name);
  }

  async rollbackToSavepoint(connection: CheckedConnection, name: string, compileQuery: unknown): Promise<void> {
    await this.#driver.rollbackToSavepoint?.(connection.inner, name, compileQuery);
    connection.transaction?.rollbackTo(name);
  }

  async releaseSavepoint(connection: CheckedConnection, name: string, compileQuery: unknown): Promise<void> {
    await this.#driver.releaseSavepoint?.(connection.inner, name, compileQuery);
  }
}
