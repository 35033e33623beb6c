import { GuardedConnection } from './guarded-connection.js';
import type { SqlGuard } from './guarded-transaction.js';
import type { Place } from '../pool/places.js';
import { extendSession } from './search-path.js';
import { isToBeClosed } from '../pool/server-status.js';
import { usingDriver, type UsingDriver } from '../pool/connection-use.js';
import type { ConnectionUse, DatabaseConnection, Dialect, Driver } from '../statements/kysely-types.js';

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
  readonly #using: UsingDriver;
  readonly #guard: SqlGuard;
  readonly #kind: ConnectionKind;
  readonly #connections = new WeakMap<DatabaseConnection, GuardedConnection>();
  #acquiring = 0;
  #onAllAcquired: (() => void) | undefined;

  constructor(driver: Driver, guard: SqlGuard, kind: ConnectionKind) {
    this.#driver = driver;
    this.#using = usingDriver(driver);
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
    if (this.#acquiring > 0) {
      await new Promise<void>(resolve => {
        this.#onAllAcquired = resolve;
      });
    }

    await this.#driver.destroy(options);
  }

  // one promise for all of it: every statement without a transaction waits for it
  acquireConnection(options?: object): Promise<GuardedConnection> {
    this.#acquiring += 1;

    return this.#guard.gate() === undefined && this.#guard.limiter === undefined
      ? this.#using.acquireConnection(options, options === undefined ? this.#use : this.#useWith(options))
      : this.#acquireLimited(options);
  }

  #useWith(options: object | undefined): ConnectionUse<DatabaseConnection, GuardedConnection> {
    return { use: inner => this.#known(inner) ?? this.#openFirst(inner, options), fail: this.#fail };
  }

  /** What every statement but the first of a connection gets. */
  #known(inner: DatabaseConnection): GuardedConnection | undefined {
    const known = this.#kind.isForgotten ? undefined : this.#connections.get(inner);

    if (known !== undefined) {
      this.#left();
    }

    return known;
  }

  async #openFirst(inner: DatabaseConnection, options: object | undefined): Promise<GuardedConnection> {
    try {
      return await this.#open(inner, options);
    } finally {
      this.#left();
    }
  }

  readonly #fail = (error: unknown): never => {
    this.#left();
    throw error;
  };

  readonly #use = this.#useWith(undefined);

  #left(): void {
    this.#acquiring -= 1;

    if (this.#acquiring === 0) {
      this.#onAllAcquired?.();
    }
  }

  async #acquireLimited(options: object | undefined): Promise<GuardedConnection> {
    let place: Place | undefined;

    try {
      const gate = this.#guard.gate();

      if (gate !== undefined) {
        await gate;
      }

      const entered = this.#guard.limiter?.enter();
      place = entered instanceof Promise ? await entered : entered;
      const inner = await this.#driver.acquireConnection(options);
      const known = this.#kind.isForgotten ? undefined : this.#connections.get(inner);
      const connection = known ?? (await this.#open(inner, options));

      if (place !== undefined) {
        connection.place = place;
        place.begin();
      }

      return connection;
    } catch (error) {
      place?.end();
      throw error;
    } finally {
      this.#left();
    }
  }

  async #open(inner: DatabaseConnection, options: object | undefined): Promise<GuardedConnection> {
    const connection = this.#connections.get(inner) ?? new GuardedConnection(inner, this.#driver, this.#guard);

    try {
      const schemas = this.#guard.searchPath();
      const { isShared } = this.#kind;
      connection.session = await extendSession(inner, { schemas, isShared, log: sql => this.#guard.log(sql) });
    } catch (error) {
      await this.#driver.releaseConnection(inner, options);
      throw error;
    }

    this.#connections.set(inner, connection);

    return connection;
  }

  releaseConnection(connection: GuardedConnection, options?: object): Promise<void> {
    return connection.place === undefined
      ? this.#driver.releaseConnection(connection.inner, options)
      : this.#releasePlaced(connection, connection.place, options);
  }

  async #releasePlaced(connection: GuardedConnection, place: Place, options: object | undefined): Promise<void> {
    connection.place = undefined;

    try {
      await this.#driver.releaseConnection(connection.inner, options);
    } finally {
      place.end();
    }
  }

  beginTransaction(connection: GuardedConnection, settings: object): Promise<void> {
    return connection.begin(() => this.#driver.beginTransaction(connection.inner, settings));
  }

  commitTransaction(connection: GuardedConnection): Promise<void> {
    const committing = connection.commit(() => this.#driver.commitTransaction(connection.inner));

    return connection.place === undefined ? committing : this.#commitPlaced(connection, connection.place, committing);
  }

  async #commitPlaced({ inner }: GuardedConnection, place: Place, committing: Promise<void>): Promise<void> {
    try {
      await committing;
    } catch (error) {
      // one that is lost is given back then, and nobody has to roll it back
      if (isToBeClosed(inner)) {
        place.end();
      }

      throw error;
    }
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
