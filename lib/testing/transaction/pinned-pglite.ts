import type { TestTransaction } from './test-transaction.js';
import type { VirtualSession } from './virtual-session.js';
import type { Wire, WireResult } from './wire.js';

/**
 * Stands for a PGlite, and sends in the test's transaction whenever a test has one. MikroORM keeps what it is given, so which PGlite it is may
 * change underneath.
 */
export function pinPglite(current: () => Pglite, source: () => TestTransaction | undefined): object {
  const inSession = (session: VirtualSession, sql: string, values?: readonly unknown[], options?: object): Promise<unknown> =>
    session
      .query({ sql, values: values !== undefined && values.length > 0 ? values : undefined, options })
      .then(result => (Array.isArray(result) ? result.at(-1) : result));

  return {
    query: async (sql: string, values?: readonly unknown[], options?: object) => {
      const test = source();

      return test === undefined
        ? current().query(sql, values, options)
        : withSession(test, session => inSession(session, sql, values, options));
    },
    exec: async (sql: string, options?: object) => {
      const test = source();

      return test === undefined ? current().exec(sql, options) : [await withSession(test, session => inSession(session, sql))];
    },
    transaction: async (fn: (tx: object) => Promise<unknown>) => {
      const test = source();

      return test === undefined ? current().transaction(fn) : withSession(test, session => inTransaction(session, fn));
    },
    listen: (channel: string, listener: unknown) => current().listen(channel, listener),
    dumpDataDir: (compression: string) => current().dumpDataDir(compression),
    close: async () => undefined,
    get closed() {
      return current().closed;
    },
    get ready() {
      return current().ready;
    },
    get waitReady() {
      return current().waitReady;
    },
  };

  async function withSession<Result>(test: TestTransaction, fn: (session: VirtualSession) => Promise<Result>): Promise<Result> {
    const session = test.acquire();

    try {
      return await fn(session);
    } finally {
      await test.release(session);
    }
  }

  async function inTransaction(session: VirtualSession, fn: (tx: object) => Promise<unknown>): Promise<unknown> {
    await session.query({ sql: 'begin' });
    let result: unknown;

    try {
      result = await fn({
        query: (sql: string, values?: readonly unknown[], options?: object) => inSession(session, sql, values, options),
        exec: (sql: string) => inSession(session, sql),
        rollback: () => session.query({ sql: 'rollback' }),
      });
    } catch (error) {
      await session.query({ sql: 'rollback' });
      throw error;
    }

    await session.query({ sql: 'commit' });

    return result;
  }
}

export function pgliteWire(pglite: Pglite): Wire {
  return {
    takesScripts: false,
    send: ({ sql, values, options }) => pglite.query(sql, values, options ?? { rowMode: 'object' }),
  };
}

/** The parts of PGlite that are used here. */
export interface Pglite {
  readonly closed: boolean;
  readonly ready: boolean;
  readonly waitReady: Promise<void>;
  query(sql: string, values?: readonly unknown[], options?: object): Promise<WireResult>;
  exec(sql: string, options?: object): Promise<unknown>;
  transaction(fn: (tx: object) => Promise<unknown>): Promise<unknown>;
  listen(channel: string, listener: unknown): Promise<unknown>;
  dumpDataDir(compression: string): Promise<Blob>;
  close(): Promise<void>;
}
