import type { AbstractSqlConnection } from '@mikro-orm/postgresql';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import { pinPool, type Pool } from './transaction/pinned-pool.js';
import type { TestTransaction } from './transaction/test-transaction.js';

/**
 * Moves the application's ORM to databases that are made for tests, its replicas too, and has its connections ask for the test's transaction.
 *
 * Relies on MikroORM asking `createKyselyDialect` for its dialect, with the settings of the connection, whenever it connects.
 */
export class MovedOrm {
  readonly #orm: WrappedOrm;
  readonly #source: () => TestTransaction | undefined;
  #target: Target | undefined;
  #pool: Pool | undefined;

  constructor(orm: WrappedOrm, source: () => TestTransaction | undefined) {
    this.#orm = orm;
    this.#source = source;
    const driver = orm.driver as unknown as OpenDriver;
    [driver.connection, ...driver.replicas].forEach(connection => this.#watch(connection, connection === driver.connection));
  }

  /** The pool of the primary. Undefined on PGlite. */
  get pool(): Pool | undefined {
    return this.#pool;
  }

  /** Closes what is open, and connects to the database. */
  async to(target: Target): Promise<void> {
    this.#target = target;
    const { config } = this.#orm;

    if ('url' in target) {
      const { hostname, port, username, password, pathname } = new URL(target.url);
      config.set('clientUrl', target.url);
      config.set('host', decodeURIComponent(hostname));
      config.set('port', Number(port || 5432));
      config.set('user', decodeURIComponent(username));
      config.set('password', decodeURIComponent(password));
      config.set('dbName', decodeURIComponent(pathname.slice(1)));
    }

    this.#pool = undefined;
    await this.#orm.reconnect();
  }

  /** Closes what is open, and leaves the ORM to be moved again. */
  async close(): Promise<void> {
    const pool = this.#pool;
    await this.#orm.driver.close(true);

    // Kysely leaves a pool open that it has sent nothing on
    if (pool?.ending === false) {
      await pool.end();
    }
  }

  #watch(connection: AbstractSqlConnection, isPrimary: boolean): void {
    const createDialect = connection.createKyselyDialect.bind(connection);

    connection.createKyselyDialect = (overrides: Overrides | undefined) => {
      const target = this.#target;

      if (target !== undefined && 'pglite' in target) {
        return createDialect({ ...overrides, pglite: () => target.pglite(overrides ?? {}) });
      }

      return createDialect({
        ...overrides,
        ...(target === undefined ? {} : settingsOf(target.url)),
        onPoolCreated: (pool: Pool) => {
          pinPool(pool, this.#source);
          this.#pool = isPrimary ? pool : this.#pool;

          return overrides?.onPoolCreated?.(pool);
        },
      });
    };
  }
}

function settingsOf(url: string): object {
  const { hostname, port, username, password, pathname } = new URL(url);

  return {
    host: decodeURIComponent(hostname),
    port: Number(port || 5432),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

/** The database to move to. */
export type Target = { readonly url: string } | { readonly pglite: (options: object) => object | Promise<object> };

interface OpenDriver {
  readonly connection: AbstractSqlConnection;
  readonly replicas: readonly AbstractSqlConnection[];
}

interface Overrides {
  readonly onPoolCreated?: (pool: Pool) => unknown;
}
