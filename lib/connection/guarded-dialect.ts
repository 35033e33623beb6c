import { GuardedConnection } from './guarded-connection.js';
import type { SqlGuard } from './guarded-transaction.js';
import { extendSession } from './search-path.js';
import type { DatabaseConnection, Dialect, Driver } from './kysely-types.js';

/**
 * A Kysely dialect of which every connection asks the guard what each statement has to run with. There is no lower place: the ORM's
 * queries, `em.execute()`, `em.getConnection()`, Kysely and transactions all come here, and here alone it is known whether the connection
 * is in a transaction, and that nobody else's statement can come between two.
 */
export function guardDialect(dialect: Dialect, guard: SqlGuard, connections: ConnectionKind): Dialect {
  return {
    createDriver: () => new GuardedDriver(dialect.createDriver(), guard, connections),
    createAdapter: () => dialect.createAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: db => dialect.createIntrospector(db),
  };
}

class GuardedDriver implements Driver {
  readonly #driver: Driver;
  readonly #guard: SqlGuard;
  readonly #kind: ConnectionKind;
  readonly #connections = new WeakMap<DatabaseConnection, GuardedConnection>();
  readonly #acquiring = new Set<Promise<GuardedConnection>>();

  constructor(driver: Driver, guard: SqlGuard, kind: ConnectionKind) {
    this.#driver = driver;
    this.#guard = guard;
    this.#kind = kind;
  }

  async init(options?: object): Promise<void> {
    await this.#driver.init(options);
  }

  /**
   * Waits for whoever is being given a connection. Kysely 0.29 forgets its pool at once, fails whoever is given a connection afterwards, and
   * does not give that one back, so that the pool would wait for it for ever. Nobody asks for another meanwhile: Kysely refuses that.
   */
  async destroy(options?: object): Promise<void> {
    await Promise.allSettled(this.#acquiring);
    await this.#driver.destroy(options);
  }

  async acquireConnection(options?: object): Promise<GuardedConnection> {
    const gate = this.#guard.gate();

    if (gate !== undefined) {
      await gate;
    }

    const acquired = this.#acquire(options);
    this.#acquiring.add(acquired);

    try {
      return await acquired;
    } finally {
      this.#acquiring.delete(acquired);
    }
  }

  async #acquire(options: object | undefined): Promise<GuardedConnection> {
    const entered = this.#guard.limiter?.enter();

    if (entered === undefined) {
      return this.#connect(options);
    }

    const place = entered instanceof Promise ? await entered : entered;

    try {
      const connection = await this.#connect(options);
      connection.place = place;
      place.begin();

      return connection;
    } catch (error) {
      place.end();
      throw error;
    }
  }

  async #connect(options: object | undefined): Promise<GuardedConnection> {
    const inner = await this.#driver.acquireConnection(options);
    const connection = this.#connections.get(inner) ?? new GuardedConnection(inner, this.#driver, this.#guard);

    if (!this.#connections.has(inner) || this.#kind.isForgotten) {
      try {
        connection.lacking = await extendSession(inner, {
          schemas: this.#guard.searchPath(),
          isShared: this.#kind.isShared,
          log: sql => this.#guard.log(sql),
        });
      } catch (error) {
        await this.#driver.releaseConnection(inner, options);
        throw error;
      }

      this.#connections.set(inner, connection);
    }

    return connection;
  }

  async releaseConnection(connection: GuardedConnection, options?: object): Promise<void> {
    const { place } = connection;
    connection.place = undefined;

    try {
      await this.#driver.releaseConnection(connection.inner, options);
    } finally {
      place?.end();
    }
  }

  async beginTransaction(connection: GuardedConnection, settings: object): Promise<void> {
    await connection.begin(() => this.#driver.beginTransaction(connection.inner, settings));
  }

  async commitTransaction(connection: GuardedConnection): Promise<void> {
    await connection.commit(() => this.#driver.commitTransaction(connection.inner));
  }

  async rollbackTransaction(connection: GuardedConnection): Promise<void> {
    try {
      await connection.rollback(() => this.#driver.rollbackTransaction(connection.inner));
    } catch (error) {
      // Kysely does not give it back then
      connection.place?.end();
      throw error;
    }
  }

  async savepoint(connection: GuardedConnection, name: string, compileQuery: unknown): Promise<void> {
    await connection.savepoint(async () => this.#driver.savepoint?.(connection.inner, name, compileQuery));
  }

  async rollbackToSavepoint(connection: GuardedConnection, name: string, compileQuery: unknown): Promise<void> {
    await connection.idle();
    await this.#driver.rollbackToSavepoint?.(connection.inner, name, compileQuery);
  }

  async releaseSavepoint(connection: GuardedConnection, name: string, compileQuery: unknown): Promise<void> {
    await connection.idle();
    await this.#driver.releaseSavepoint?.(connection.inner, name, compileQuery);
  }
}

/** What is known of the connections of a dialect. */
export interface ConnectionKind {
  /** Whether something else than the ORM may use them too, such as a pooler. */
  readonly isShared: boolean;
  /** Whether what is set for the session is gone when the connection is acquired again. */
  readonly isForgotten: boolean;
}
