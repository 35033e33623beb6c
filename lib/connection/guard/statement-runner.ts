import { attachRollbackError, sqlStateOf } from '../../postgres/sql-state.js';
import { partsOf, type SqlKind, type SqlPart } from '../../postgres/transaction-statements.js';
import { GuardedTransaction, type GuardedSession, type Leave, type SqlGuard } from './guarded-transaction.js';
import { isOwn, KEEP, type RequiredSettings } from '../statements/required-settings.js';
import type { Around, DatabaseConnection, Query, QueryResult, Transactions } from '../statements/kysely-types.js';
import { placeInStatement } from '../pool/message-around.js';
import { logAround } from './one-message.js';
import type { SessionPath } from './search-path.js';
import { closeAfterUse, hasOpenTransaction } from '../pool/server-status.js';
import { queryOf } from '../statements/settings-sql.js';

/** Runs statements on one connection with what they want: in the caller's transaction, or in one of their own. */
export class StatementRunner implements GuardedSession {
  readonly #connection: DatabaseConnection;
  readonly #transactions: Transactions;
  readonly #guard: SqlGuard;
  readonly #path: () => SessionPath;

  constructor(
    connection: DatabaseConnection,
    transactions: Transactions,
    { guard, path }: { readonly guard: SqlGuard; readonly path: () => SessionPath },
  ) {
    this.#connection = connection;
    this.#transactions = transactions;
    this.#guard = guard;
    this.#path = path;
  }

  get path(): SessionPath {
    return this.#path();
  }

  async send(sql: string, values: readonly string[]): Promise<readonly Record<string, unknown>[]> {
    const { rows } = await this.#connection.executeQuery(queryOf(sql, values));
    this.#guard.log(sql.replaceAll(/\$(\d)/g, (_, place: string) => `'${values[Number(place) - 1]}'`));

    return rows;
  }

  explain(error: unknown, role: string | undefined): unknown {
    return this.#guard.explain(error, role);
  }

  doubt(): void {
    closeAfterUse(this.#connection);
    this.#guard.notesSessions = true;
  }

  /** Begins a transaction for what has none, of which nothing goes on after its last part. */
  async begin({ role }: RequiredSettings, parts = 1): Promise<Unit> {
    try {
      await this.#transactions.beginTransaction(this.#connection, {});
    } catch (error) {
      throw this.explain(error, undefined);
    }

    this.#guard.log('begin');

    return {
      transaction: new GuardedTransaction(this, role === KEEP ? undefined : role, { isSingle: parts === 1 }),
      end: async isDone => {
        await this.#transactions[isDone ? 'commitTransaction' : 'rollbackTransaction'](this.#connection);
        this.#guard.log(isDone ? 'commit' : 'rollback');
      },
    };
  }

  /** The same in the place of one that raw SQL has ended, which Kysely still takes its connection to be in. */
  async beginAgain(transaction: GuardedTransaction): Promise<Unit> {
    await this.send('begin', []);
    transaction.renew();

    return {
      transaction,
      end: async isDone => {
        transaction.isOpen = false;
        await this.send(isDone ? 'commit' : 'rollback', []);
      },
    };
  }

  /** Runs one part of what was sent, and keeps account of what it does to the transaction. */
  async run(part: StatementPart, run: (around?: Around) => Promise<QueryResult>): Promise<QueryResult> {
    const { transaction, kind, required } = part;

    if (kind === 'savepoint' && transaction.isOpen) {
      await transaction.takeRole();
    }

    if (kind === 'lock' || kind === 'other') {
      return transaction.isOpen
        ? this.#runBetween(part, run)
        : kind === 'lock' || isOwn(required)
          ? run()
          : inUnit(await this.beginAgain(transaction), () => this.#runBetween(part, run));
    }

    try {
      const result = await run();

      if (kind === 'chain' || (kind === 'begin' && !transaction.isOpen)) {
        transaction.renew();
      }

      return result;
    } finally {
      // a commit that fails is a rollback
      transaction.isOpen &&= kind !== 'end';
    }
  }

  /** Ends what was set for a statement that has failed, whose transaction goes on, if only to be rolled back. */
  async leaveFailed({ transaction, sql }: Pick<StatementPart, 'transaction' | 'sql'>, leave: Leave, error: unknown): Promise<void> {
    if (sqlStateOf(error) === undefined) {
      // it may never have got as far as the database, and the transaction is then as good as before
      await leave().catch(() => undefined);
      return;
    }

    // a rollback, also to whichever savepoint, puts all back. Unless a transaction has ended in what was sent, which was not seen in it
    if (sql.includes(';') && hasOpenTransaction(this.#connection) !== undefined) {
      // an error comes before the server says what is open
      await this.#connection.executeQuery(queryOf('', [])).catch(() => undefined);

      if (hasOpenTransaction(this.#connection) === false) {
        transaction.isOpen = false;
        closeAfterUse(this.#connection);
      }
    }
  }

  /** Runs what goes between statements of ours, in one message with them where that can be. */
  async #runBetween(part: StatementPart, run: (around?: Around) => Promise<QueryResult>): Promise<QueryResult> {
    const { transaction, kind, required } = part;
    const around = part.takesSettings ? transaction.aroundRaw(required) : undefined;

    if (around !== undefined) {
      return this.#runAround(part, around, () => run(around));
    }

    const leave = await (kind === 'lock' ? transaction.enterWithoutSnapshot(required) : transaction.enter(required));
    let result: QueryResult;

    try {
      result = await run();
    } catch (error) {
      await this.leaveFailed(part, leave, error);
      throw error;
    }

    transaction.isOpen = hasOpenTransaction(this.#connection) ?? true;
    await leave();

    return result;
  }

  async #runAround({ transaction }: StatementPart, around: Around, run: () => Promise<QueryResult>): Promise<QueryResult> {
    try {
      const { before, ...result } = await run();
      transaction.isOpen = hasOpenTransaction(this.#connection) ?? true;
      transaction.noteFound(before);
      logAround(this.#guard, around);

      return result;
    } catch (error) {
      throw placeInStatement(error, around);
    }
  }
}

/** Runs `fn` in what was begun for it, and ends that. */
export async function inUnit<Result>(unit: Unit, fn: (transaction: GuardedTransaction) => Promise<Result>): Promise<Result> {
  try {
    const result = await fn(unit.transaction);
    await unit.end?.(true);

    return result;
  } catch (error) {
    await undo(unit, error);
    throw error;
  }
}

/** Rolls back what was begun for a statement. A connection that is lost has nothing to roll back. */
export async function undo(unit: Unit, error: unknown): Promise<void> {
  await unit.end?.(false).catch((rollbackError: unknown) => attachRollbackError(error, rollbackError));
}

/** Of raw SQL alone. What has parameters is one statement, or PostgreSQL refuses it. */
export function partsIn({ sql, parameters }: Query, { kind }: RequiredSettings): readonly SqlPart[] | undefined {
  const parts = kind === 'raw' ? partsOf(sql) : undefined;

  return parameters.length > 0 && (parts?.length ?? 0) > 1 ? undefined : parts;
}

/** By itself it has no effect there, or is refused. */
export const NEEDS_NO_TRANSACTION: ReadonlySet<SqlKind> = new Set(['end', 'chain', 'savepoint', 'plain', 'lock']);

/** The transaction that statements run in. */
export interface Unit {
  readonly transaction: GuardedTransaction;
  /** Ends it, where it was begun for them. */
  end?(isDone: boolean): Promise<void>;
}

export interface StatementPart {
  readonly transaction: GuardedTransaction;
  readonly kind: SqlKind;
  readonly sql: string;
  readonly required: RequiredSettings;
  /** Whether other statements can stand around it in a message. */
  readonly takesSettings: boolean;
}
