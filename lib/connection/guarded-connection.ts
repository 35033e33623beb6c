import { attachRollbackError } from '../postgres/sql-state.js';
import type { DatabaseConnection, Query, QueryResult, Transactions } from './kysely-types.js';
import { queryOf, READ, setConfig } from './settings-sql.js';

/**
 * One connection of the pool. A statement that the guard wants a path or a role for gets them for itself alone: in a transaction of its own
 * where there is none, else between two statements of ours. Kysely gives a connection to one user at a time, so nothing comes between.
 */
export class GuardedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  declare cancelQuery?: (...args: any[]) => Promise<void>;
  declare collectSessionInfo?: (...args: any[]) => Promise<void>;
  declare killSession?: (...args: any[]) => Promise<void>;

  readonly #transactions: Transactions;
  readonly #guard: SqlGuard;
  #transaction: TransactionState | undefined;
  #session: Settings | undefined;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(inner: DatabaseConnection, transactions: Transactions, guard: SqlGuard) {
    this.inner = inner;
    this.#transactions = transactions;
    this.#guard = guard;

    // Kysely asks whether they are there
    for (const name of ['cancelQuery', 'collectSessionInfo', 'killSession'] as const) {
      if (inner[name] !== undefined) {
        this[name] = (...args) => inner[name]?.(...args) as Promise<void>;
      }
    }
  }

  async executeQuery(query: Query, options?: object): Promise<QueryResult> {
    const wanted = this.#wanted(query);
    const run = (): Promise<QueryResult> => this.inner.executeQuery(query, options);

    if (wanted === undefined) {
      return run();
    }

    return this.#alone(() => (this.#transaction === undefined ? this.#inOwnTransaction(wanted, run) : this.#inBetween(wanted, run)));
  }

  async *streamQuery(query: Query, chunkSize: number, options?: object): AsyncIterableIterator<QueryResult> {
    const wanted = this.#wanted(query);
    const read = (): AsyncIterableIterator<QueryResult> => this.inner.streamQuery(query, chunkSize, options);

    if (wanted === undefined) {
      yield* read();
      return;
    }

    let release: () => void = () => undefined;
    const reading = new Promise<void>(resolve => {
      release = resolve;
    });
    const opened = await this.#open(wanted);
    this.#busy = reading;
    let failure: unknown = STOPPED;

    try {
      yield* read();
      failure = undefined;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // a reader that stops early has read all the same
      await opened.close(failure === undefined || failure === STOPPED).finally(release);
    }
  }

  /** Resolves when no statement of ours is under way: Kysely sends the ends of transactions and savepoints past its own queue. */
  async idle(): Promise<void> {
    await this.#busy.catch(() => undefined);
  }

  /**
   * Never fails: Kysely gives a connection back when its transaction ends, and one whose beginning failed has none. What went wrong is
   * thrown to the first statement of the transaction, and to its commit.
   */
  async begin(begin: () => Promise<void>): Promise<void> {
    await this.idle();
    const role = this.#guard.roleNow();
    const transaction: TransactionState = { role, hadRawSql: false, hasBegun: false, failure: undefined };
    this.#transaction = transaction;

    try {
      // what the session has, to be put back where raw SQL in the transaction has set it
      this.#session ??= await this.#read();
      await begin();
      transaction.hasBegun = true;

      if (role !== undefined) {
        await this.#send(`select ${setConfig('role', '$1', true)}`, [role]);
      }
    } catch (error) {
      transaction.failure = { error: this.#guard.explain(error, role) };
    }
  }

  async commit(commit: () => Promise<void>): Promise<void> {
    await this.idle();
    const { failure, hadRawSql } = this.#transaction ?? NO_TRANSACTION;

    if (failure !== undefined) {
      throw failure.error;
    }

    if (hadRawSql && this.#session !== undefined) {
      // in a transaction that has failed this fails too, and its commit is a rollback
      await this.#restore(this.#session, false).catch(() => undefined);
    }

    await commit();
    this.#transaction = undefined;
  }

  async rollback(rollback: () => Promise<void>): Promise<void> {
    await this.idle();
    const hasBegun = this.#transaction?.hasBegun !== false;

    try {
      await (hasBegun ? rollback() : undefined);
    } finally {
      this.#transaction = undefined;
    }
  }

  #wanted(query: Query): Wanted | undefined {
    const { failure, role } = this.#transaction ?? NO_TRANSACTION;

    if (failure !== undefined) {
      throw failure.error;
    }

    return this.#guard.wanted(query, role);
  }

  #alone<Result>(fn: () => Promise<Result>): Promise<Result> {
    const done = fn();
    this.#busy = done;

    return done;
  }

  async #inOwnTransaction(wanted: Wanted, run: () => Promise<QueryResult>): Promise<QueryResult> {
    const opened = await this.#open(wanted);

    try {
      const result = await run();
      await opened.close(true);

      return result;
    } catch (error) {
      // a connection that is lost has nothing to roll back
      await opened.close(false).catch((rollbackError: unknown) => attachRollbackError(error, rollbackError));
      throw error;
    }
  }

  async #inBetween(wanted: Wanted, run: () => Promise<QueryResult>): Promise<QueryResult> {
    const opened = await this.#open(wanted);

    try {
      return await run();
    } finally {
      // where PostgreSQL refused the statement this fails too, and a rollback to whichever savepoint puts all back; where the statement
      // never got that far, the transaction can go on
      await opened.close(true).catch(() => undefined);
    }
  }

  /** Sets what is wanted, in a transaction; what is to be done afterwards is to be told whether all went well. */
  async #open(wanted: Wanted): Promise<{ close(isDone: boolean): Promise<void> }> {
    const transaction = this.#transaction;

    if (transaction !== undefined) {
      const before = await this.#swap(wanted);
      transaction.hadRawSql ||= wanted.path !== undefined;

      return { close: async () => this.#restore(before, true) };
    }

    await this.#begin();

    try {
      const before = await this.#swap(wanted);

      return { close: async isDone => (isDone ? this.#end(wanted, before) : this.#undo()) };
    } catch (error) {
      await this.#undo().catch((rollbackError: unknown) => attachRollbackError(error, rollbackError));
      throw error;
    }
  }

  async #begin(): Promise<void> {
    await this.#transactions.beginTransaction(this.inner, {});
    this.#guard.log('begin');
  }

  async #end({ path }: Wanted, before: Settings): Promise<void> {
    if (path !== undefined) {
      // what the statement has set for the session would stay on the connection
      await this.#restore(before, false);
    }

    await this.#transactions.commitTransaction(this.inner);
    this.#guard.log('commit');
  }

  async #undo(): Promise<void> {
    await this.#transactions.rollbackTransaction(this.inner);
    this.#guard.log('rollback');
  }

  async #swap({ path, role }: Wanted): Promise<Settings> {
    const values = [path, role].filter(value => value !== undefined);
    const set = [
      ...(path === undefined ? [] : [setConfig('search_path', '$1', true)]),
      ...(role === undefined ? [] : [setConfig('role', `$${values.length}`, true)]),
    ];

    try {
      // materialized, so that what was set before is read before it is set anew
      const [before] = await this.#send(`with before as materialized (${READ}) select path, role, ${set.join(', ')} from before`, values);

      return {
        path: path === undefined ? undefined : String(before?.['path']),
        // raw SQL may set it for the session too; in a transaction the commit sees to that
        role: role !== undefined || (path !== undefined && this.#transaction === undefined) ? String(before?.['role']) : undefined,
      };
    } catch (error) {
      throw this.#guard.explain(error, role);
    }
  }

  async #restore({ path, role }: Settings, isLocal: boolean): Promise<void> {
    const values = [path, role].filter(value => value !== undefined);
    const set = [
      ...(path === undefined ? [] : [setConfig('search_path', '$1', isLocal)]),
      ...(role === undefined ? [] : [setConfig('role', `$${values.length}`, isLocal)]),
    ];
    await this.#send(`select ${set.join(', ')}`, values);
  }

  async #read(): Promise<Settings> {
    const { rows } = await this.inner.executeQuery(queryOf(READ, []));

    return { path: String(rows[0]?.['path']), role: String(rows[0]?.['role']) };
  }

  async #send(sql: string, values: readonly string[]): Promise<Record<string, unknown>[]> {
    const { rows } = await this.inner.executeQuery(queryOf(sql, values));
    this.#guard.log(sql.replaceAll(/\$(\d)/g, (_, place: string) => `'${values[Number(place) - 1]}'`));

    return rows;
  }
}

const STOPPED = Symbol('stopped');

const NO_TRANSACTION: TransactionState = { role: undefined, hadRawSql: false, hasBegun: false, failure: undefined };

/** What a statement has to run with; what is undefined stays as it is. */
export interface Wanted {
  readonly path: string | undefined;
  readonly role: string | undefined;
}

/** Decides what statements run with. */
export interface SqlGuard {
  /** What has to be waited for before anything is sent. */
  gate(): Promise<void> | undefined;

  /** What the statement has to run with; undefined where that is what the connection has. `role` is that of the transaction. */
  wanted(query: Query, role: string | undefined): Wanted | undefined;

  /** The role that a transaction which begins now is of; undefined for the connection's own. */
  roleNow(): string | undefined;

  /** The error that tells why the role could not be set, where it is that. */
  explain(error: unknown, role: string | undefined): unknown;

  log(sql: string): void;
}

interface Settings {
  readonly path: string | undefined;
  readonly role: string | undefined;
}

interface TransactionState {
  readonly role: string | undefined;
  hadRawSql: boolean;
  hasBegun: boolean;
  failure: { readonly error: unknown } | undefined;
}
