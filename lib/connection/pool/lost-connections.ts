import type { Configuration } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/postgresql';
import { TenantNodeUnavailableError } from '../../errors/index.js';
import { isOfNode, nodeOfError } from '../../postgres/citus-errors.js';
import { connectionWasLost } from '../../postgres/sql-state.js';
import { PASSED_ON, type UsingDriver } from './connection-use.js';
import type { ConnectionUse } from '../statements/kysely-types.js';
import { sqlTarget } from '../statements/sql-target.js';
import { addNamed, LOCKING, withoutServed } from './tenants-of-client.js';
import { endCursorsWithClient, type CursorClient } from './lost-cursors.js';
import { runCopy } from './copy.js';
import {
  closeAfterUse,
  CLOSE_AFTER_USE,
  hasOpenTransaction,
  wantedOfScript,
  isToBeClosed,
  rowsOfScript,
  setClient,
  type StatusClient,
} from './server-status.js';

/**
 * Gives a connection's place in the pool back where the connection is lost in a transaction. Kysely 0.29 gives it back when a transaction
 * has been committed or rolled back, and on a lost connection neither succeeds: each one that is lost makes the pool smaller by one until
 * everything waits for ever. Here a connection whose `begin` or `rollback` fails is closed and given back at once, whatever it failed of:
 * a transaction may still be open on it, and nobody must get it then. Outside a transaction, one that is lost is closed when it is released,
 * and so is one of which nobody can tell what raw SQL has left on it, and one on which the server says that a transaction is open.
 *
 * Relies on MikroORM asking `createKyselyDialect` for its dialect and calling `onPoolCreated` with the pool, neither of which it does where
 * the user's `driverOptions` are a Kysely or a dialect; and on `pg` telling of a release before it decides whether to keep the client.
 */
export function surviveLostConnections(connection: AbstractSqlConnection, config: Configuration): void {
  const createDialect = connection.createKyselyDialect.bind(connection);

  connection.createKyselyDialect = (overrides: PoolOverrides | undefined) => {
    let created: Pool | undefined;
    const onPoolCreated = (pool: Pool): unknown => {
      created = pool;
      pool.on('connect', client => {
        endCursorsWithClient(client);
        keepLastWord(client);
      });

      return overrides?.onPoolCreated?.(pool);
    };
    const dialect = createDialect({ ...overrides, onPoolCreated });

    // PGlite has no pool, and no connection to lose
    if (created === undefined || dialect instanceof Promise) {
      return dialect;
    }

    const pool: Pool = created;
    const createDriver = dialect.createDriver.bind(dialect);
    dialect.createDriver = () => releaseLostConnections(createDriver(), pool, config);

    return dialect;
  };
}

function releaseLostConnections(driver: Driver, pool: Pool, config: Configuration): Driver {
  const acquire = driver.acquireConnection.bind(driver);
  const begin = driver.beginTransaction.bind(driver);
  const commit = driver.commitTransaction.bind(driver);
  const rollback = driver.rollbackTransaction.bind(driver);
  const release = driver.releaseConnection.bind(driver);
  const connect = pool.connect.bind(pool);
  let connecting: Promise<StatusClient> | undefined;
  const alreadyReleased = new WeakSet<DriverConnection>();
  const watched = new WeakSet<DriverConnection>();

  const releaseOrClose = (connection: DriverConnection): Promise<void> =>
    isToBeClosed(connection) || hasOpenTransaction(connection) === true ? closeOnce(connection) : release(connection);
  const closeOnce = async (connection: DriverConnection): Promise<void> => {
    // whoever held it for longer than the transaction gives it back again
    if (!alreadyReleased.has(connection)) {
      alreadyReleased.add(connection);
      // a client that is ending is not kept. It is released before the call returns
      pool.once('release', endClient);
      const released = release(connection);
      pool.off('release', endClient);
      await released;
    }
  };
  const releaseIfItFails = (connection: DriverConnection, work: Promise<void>): Promise<void> =>
    work.catch(async (error: unknown) => {
      closeAfterUse(connection);
      await releaseOrClose(connection);
      throw error;
    });
  const commitOrGiveBack = (connection: DriverConnection): Promise<void> =>
    commit(connection).catch(async (error: unknown) => {
      // what the database refused to commit can still be rolled back
      await (isToBeClosed(connection) ? releaseOrClose(connection) : undefined);
      throw error;
    });

  const watch = async (connection: DriverConnection, client: Promise<StatusClient> | undefined): Promise<DriverConnection> => {
    watched.add(connection);
    const own = await client;
    noticeLoss(connection, { client: own, onLost: () => closeAfterUse(connection), config });

    if (own !== undefined) {
      setClient(connection, own);
    }

    return connection;
  };

  pool.connect = callback => {
    connecting = connect(callback);

    return connecting;
  };

  const acquireConnection = <Result = DriverConnection>(
    options?: Parameters<typeof acquire>[0],
    { use, fail }: ConnectionUse<DriverConnection, Result> = PASSED_ON,
  ): Promise<Result> => {
    // the pool is asked before the call returns
    connecting = undefined;
    const acquired = acquire(options);
    const client = connecting as Promise<StatusClient> | undefined;

    // every statement waits for it
    return acquired.then(connection => (watched.has(connection) ? use(connection) : watch(connection, client).then(use, fail)), fail);
  };

  return Object.assign(driver, {
    takesUse: true,
    acquireConnection,
    beginTransaction: (connection, settings) => releaseIfItFails(connection, begin(connection, settings)),
    commitTransaction: commitOrGiveBack,
    rollbackTransaction: connection => releaseIfItFails(connection, rollback(connection)),
    releaseConnection: releaseOrClose,
  } satisfies Partial<Driver> & Pick<UsingDriver, 'takesUse'>);
}

/**
 * Notices by its errors that a connection is lost: PostgreSQL's last word comes before the end of the socket, and a client that is released
 * between the two would be given to the next one. One that has timed out may have an answer under way that nobody waits for.
 */
function noticeLoss(
  connection: DriverConnection,
  { client, onLost, config }: { readonly client: StatusClient | undefined; readonly onLost: () => void; readonly config: Configuration },
): void {
  const executeQuery = connection.executeQuery.bind(connection);
  const streamQuery = connection.streamQuery.bind(connection);
  const notice = (error: unknown): unknown => {
    if (isOfNode(error)) {
      const target = sqlTarget(config);

      return TenantNodeUnavailableError.ofStatement(nodeOfError(error), target.kind === 'tenant' ? target.schemaName : undefined, error);
    }

    if (connectionWasLost(error) || timedOut(error)) {
      onLost();
    }

    const lastWord = client === undefined || !isUnexplained(error) ? undefined : lastWords.get(client);

    return connectionWasLost(lastWord) ? lastWord : error;
  };

  const rethrow = (error: unknown): never => {
    throw notice(error);
  };

  Object.assign(connection, {
    executeQuery: <Row>(query: Parameters<typeof executeQuery>[0], options: Parameters<typeof executeQuery>[1]) => {
      const { sql } = query;

      if (!mayBeOwn(sql)) {
        return executeQuery<Row>(query, options).catch(rethrow);
      }

      if (sql.startsWith(CLOSE_AFTER_USE)) {
        onLost();

        return Promise.resolve({ rows: [] });
      }

      addNamed(connection, sql);
      const rows =
        runCopy<Row>(connection, sql) ??
        rowsOfScript<Row>(connection, sql) ??
        wantedOfScript<Row>(connection, sql) ??
        executeQuery<Row>({ ...query, sql: withoutServed(sql) }, options);

      return rows.catch(rethrow);
    },
    streamQuery: async function* <Row>(...args: Parameters<typeof streamQuery>) {
      try {
        yield* streamQuery<Row>(...args);
      } catch (error) {
        throw notice(error);
      }
    },
  } satisfies Partial<DriverConnection>);
}

/** Whether it may be marked, at its beginning or its end, or take the lock of a tenant. */
function mayBeOwn(sql: string): boolean {
  return sql.charCodeAt(0) === SLASH || sql.charCodeAt(sql.length - 1) === SLASH || sql.startsWith(LOCKING);
}

const SLASH = '/'.charCodeAt(0);

// of the client, by `query_timeout`; the server's own time-outs leave the connection as it was
function timedOut(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout';
}

/** Keeps the error with which the server or the network ended the session while nothing was asked. `pg` does not say it to what is asked later. */
function keepLastWord(client: PoolClient): void {
  client.once('error', error => lastWords.set(client, error));
}

function isUnexplained(error: unknown): boolean {
  return error instanceof Error && error.message === 'Client has encountered a connection error and is not queryable';
}

const lastWords = new WeakMap<object, unknown>();

function endClient(_error: unknown, client: CursorClient): void {
  client.end().catch(() => undefined);
}

type Dialect = Awaited<ReturnType<AbstractSqlConnection['createKyselyDialect']>>;

type Driver = ReturnType<Dialect['createDriver']>;

type DriverConnection = Awaited<ReturnType<Driver['acquireConnection']>>;

interface Pool {
  connect(callback?: unknown): Promise<StatusClient>;
  on(event: 'connect', listener: (client: PoolClient) => void): unknown;
  once(event: 'release', listener: typeof endClient): unknown;
  off(event: 'release', listener: typeof endClient): unknown;
}

type PoolClient = CursorClient & { once(event: 'error', listener: (error: unknown) => void): unknown };

interface PoolOverrides {
  readonly onPoolCreated?: (pool: Pool) => unknown;
}
