// The parts of Kysely that are used here. Kysely is a dependency of MikroORM, not of this package, so its types cannot be imported.

import type { SqlTarget } from './sql-target.js';

/** The parts of a Kysely dialect. */
export interface Dialect {
  createDriver(): Driver;
  createAdapter(): any;
  createQueryCompiler(): any;
  createIntrospector(db: any): any;
}

/** A Kysely driver. */
export interface Driver {
  init(options?: object): Promise<void>;
  destroy(options?: object): Promise<void>;
  acquireConnection(options?: object): Promise<DatabaseConnection>;
  releaseConnection(connection: any, options?: object): Promise<void>;
  beginTransaction(connection: any, settings: any): Promise<void>;
  commitTransaction(connection: any): Promise<void>;
  rollbackTransaction(connection: any): Promise<void>;
  savepoint?(connection: any, name: string, compileQuery: any): Promise<void>;
  rollbackToSavepoint?(connection: any, name: string, compileQuery: any): Promise<void>;
  releaseSavepoint?(connection: any, name: string, compileQuery: any): Promise<void>;
}

/** What is done with a connection, or where there is none. All layers share one promise for it, as every statement waits for that. */
export interface ConnectionUse<Connection, Result> {
  readonly use: (connection: Connection) => Result | Promise<Result>;
  readonly fail: (error: unknown) => never;
}

/** The part of a Kysely driver that begins and ends transactions. */
export interface Transactions {
  beginTransaction(connection: DatabaseConnection, settings: object): Promise<void>;
  commitTransaction(connection: DatabaseConnection): Promise<void>;
  rollbackTransaction(connection: DatabaseConnection): Promise<void>;
}

/** A compiled query of Kysely's. */
export interface Query {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly query: object;
  readonly queryId: object;
  /** What is sent around it, in a message that is one transaction. Only of what `sendInOneMessage` sends. */
  readonly around?: Around;
  /** Where it ends in the message, if something is sent after it. */
  readonly endsAt?: number;
}

/** What is sent in one message with a statement. */
export interface Around {
  /** Statements that set what it is run with. */
  readonly before: string;
  /** What puts back what it may have set for the session. Undefined where it sets nothing. */
  readonly after: string | undefined;
  /** The place of its result among those that are of no `set`. At the third, the first is what the session has. */
  readonly place: 0 | 1 | 2;
}

export interface QueryResult {
  readonly rows: Record<string, unknown>[];
  /** What the session had, where it was asked for in the same message. */
  readonly before?: Record<string, unknown>[];
}

/** A connection of Kysely's. */
export interface DatabaseConnection {
  /** `target` is what the guard has found the statement to be for; a connection below it does not ask again. */
  executeQuery(query: Query, options?: object, target?: SqlTarget): Promise<QueryResult>;
  streamQuery(query: Query, chunkSize: number, options?: object): AsyncIterableIterator<QueryResult>;
  cancelQuery?(...args: any[]): Promise<void>;
  collectSessionInfo?(...args: any[]): Promise<void>;
  killSession?(...args: any[]): Promise<void>;
}
