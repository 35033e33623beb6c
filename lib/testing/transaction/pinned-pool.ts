import { NONCE } from '../../database/change-channel.js';
import type { VirtualSession } from './virtual-session.js';
import type { TestTransaction } from './test-transaction.js';
import { emptyResult, type Message, type Wire, type WireResult } from './wire.js';

/**
 * Has a pool of `pg` give connections of the test's transaction, whenever a test has one. `source` says which: undefined for a connection of
 * the pool, as ever. It may throw.
 *
 * Relies on `pg`'s pool: `connect()` and `query()` are all by which it gives connections, and its client tells the server's state by
 * `getTransactionStatus()`.
 */
export function pinPool(pool: Pool, source: () => TestTransaction | undefined): void {
  const connect = pool.connect.bind(pool);
  const query = pool.query.bind(pool);
  const clients = new WeakMap<VirtualSession, PinnedClient>();

  const pinned = (test: TestTransaction): PinnedClient => {
    const session = test.acquire();
    const client = clients.get(session) ?? new PinnedClient(session, test);
    clients.set(session, client);

    return client;
  };

  pool.connect = (callback?: ConnectCallback) => {
    let test: TestTransaction | undefined;

    try {
      test = source();
    } catch (error) {
      return answer(Promise.reject(error), callback);
    }

    if (test === undefined) {
      return callback === undefined ? connect() : connect(callback);
    }

    const client = pinned(test);

    if (callback === undefined) {
      return Promise.resolve(client);
    }

    callback(undefined, client, () => client.release());

    return undefined;
  };

  pool.query = (...args: QueryArguments) => {
    // the directory asks whether notices arrive, and only the server can answer it
    const asksForNotices = Array.isArray(args[1]) && typeof args[1][1] === 'string' && args[1][1].startsWith(NONCE);
    const test = asksForNotices ? undefined : source();

    if (test === undefined) {
      return query(...args);
    }

    const client = pinned(test);
    const { message, callback } = messageOf(args);

    return answer(
      client.query(message, undefined).finally(() => client.release()),
      callback,
    );
  };
}

/** Takes a connection of the pool for the transaction of a test. */
export async function pgWire(pool: Pool): Promise<Wire & { close(isBroken: boolean): void }> {
  const client: RealClient = await pool.connect();

  return {
    takesScripts: true,
    processID: client.processID,
    send: ({ sql, values, options }: Message) =>
      client.query(options === undefined && values === undefined ? sql : { ...options, text: sql, values }),
    close: (isBroken: boolean) => client.release(isBroken),
  };
}

/** What Kysely, the library and the application take for a client of `pg`. */
class PinnedClient {
  readonly #session: VirtualSession;
  readonly #test: TestTransaction;

  constructor(session: VirtualSession, test: TestTransaction) {
    this.#session = session;
    this.#test = test;
  }

  get processID(): number | null | undefined {
    return this.#test.wire.processID;
  }

  getTransactionStatus(): string {
    return this.#session.status;
  }

  query(...args: QueryArguments): any {
    const [submitted] = args;

    if (isCursor(submitted)) {
      return new ReadCursor(submitted, this.#session);
    }

    const { message, callback } = messageOf(args);
    const { text, values, ...options } = message;
    const hasOptions = Object.keys(options).length > 0;
    const sent = this.#session.query({
      sql: text,
      // none are no parameters to `pg`, but would need another protocol than a script
      values: values !== undefined && values !== null && values.length > 0 ? values : undefined,
      options: hasOptions ? options : undefined,
    });

    return answer(sent, callback);
  }

  release(): void {
    // whoever gave it back does not wait; what fails is told at the end of the test
    this.#test.release(this.#session).catch(() => undefined);
  }

  end(): Promise<void> {
    return this.#test.release(this.#session);
  }

  // events of a real connection, which the test's own has
  on(): this {
    return this;
  }

  once(): this {
    return this;
  }

  off(): this {
    return this;
  }

  removeListener(): this {
    return this;
  }

  escapeIdentifier(name: string): string {
    return `"${name.replaceAll('"', '""')}"`;
  }
}

/** Reads all rows at the first read: an open cursor would keep every other statement of the test waiting. */
class ReadCursor {
  readonly #cursor: Cursor;
  readonly #session: VirtualSession;
  #rows: Promise<any[]> | undefined;

  constructor(cursor: Cursor, session: VirtualSession) {
    this.#cursor = cursor;
    this.#session = session;
  }

  async read(count: number): Promise<any[]> {
    const { text, values = [] } = this.#cursor;
    this.#rows ??= this.#session
      .query({ sql: text, values: values !== null && values.length > 0 ? values : undefined })
      .then(result => [...([result].flat()[0] ?? emptyResult('')).rows]);

    return (await this.#rows).splice(0, count);
  }

  async close(): Promise<void> {
    this.#rows = Promise.resolve([]);
  }
}

function messageOf(args: QueryArguments): { message: QueryConfig; callback: Callback | undefined } {
  const [first, second, third] = args;
  const callback = [first, second, third].find(each => typeof each === 'function') as Callback | undefined;
  const values = Array.isArray(second) ? second : undefined;
  const config = typeof first === 'string' ? { text: first } : (first as QueryConfig);

  return { message: values === undefined ? config : { ...config, values }, callback };
}

function answer<Result>(result: Promise<Result>, callback: Callback | undefined): any {
  return callback === undefined ? result : void tell(result, callback);
}

async function tell(result: Promise<unknown>, callback: Callback): Promise<void> {
  let value: unknown;

  try {
    value = await result;
  } catch (error) {
    callback(error);
    return;
  }

  callback(null, value);
}

function isCursor(submitted: unknown): submitted is Cursor {
  return typeof (submitted as Partial<Cursor> | undefined)?.submit === 'function' && 'read' in (submitted as object);
}

interface QueryConfig {
  readonly text: string;
  readonly values?: readonly unknown[] | null;
}

interface Cursor extends QueryConfig {
  submit(connection: unknown): unknown;
  read(count: number): Promise<unknown[]>;
}

interface RealClient {
  readonly processID?: number | null;
  query(message: unknown): Promise<WireResult | WireResult[]>;
  release(destroy?: boolean): void;
}

type QueryArguments = [first?: any, second?: any, third?: any];

type Callback = (error: unknown, result?: unknown) => void;

type ConnectCallback = (error: unknown, client?: unknown, release?: () => void) => void;

/** The parts of a pool of `pg` that are used here. */
export interface Pool {
  readonly ending: boolean;
  connect(callback?: any): any;
  end(): Promise<void>;
  query(...args: QueryArguments): any;
}
