import { passControls } from '../pool/control-calls.js';
import { canHaveTransaction } from '../statements/statement-kinds.js';
import { GuardedTransaction, type SqlGuard } from './guarded-transaction.js';
import { KEEP, type RequiredSettings } from '../statements/required-settings.js';
import type { DatabaseConnection, Query, QueryResult, Transactions } from '../statements/kysely-types.js';
import { sendInOneMessage, takesRaw } from './one-message.js';
import type { Place } from '../pool/places.js';
import type { SessionPath } from './search-path.js';
import type { SqlTarget } from '../statements/sql-target.js';
import { inUnit, NEEDS_NO_TRANSACTION, partsIn, StatementRunner, undo, type Unit } from './statement-runner.js';

/**
 * One connection of the pool. A statement that the guard wants a path or a role for gets them for itself alone: in a transaction of its own
 * where there is none, else between two statements of ours. Kysely gives a connection to one user at a time, so nothing comes between.
 */
export class GuardedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  session: SessionPath = { lacking: [], known: undefined };
  /** What its user may have it by, where tenants are limited. */
  place: Place | undefined;
  declare cancelQuery?: (...args: any[]) => Promise<void>;
  declare collectSessionInfo?: (...args: any[]) => Promise<void>;
  declare killSession?: (...args: any[]) => Promise<void>;

  readonly #runner: StatementRunner;
  readonly #guard: SqlGuard;
  // the caller's
  #transaction: GuardedTransaction | undefined;
  /** What a statement of ours is under way for; undefined where none is. */
  #busy: Promise<unknown> | undefined;

  constructor(inner: DatabaseConnection, transactions: Transactions, guard: SqlGuard) {
    this.inner = inner;
    this.#runner = new StatementRunner(inner, transactions, { guard, path: () => this.session });
    this.#guard = guard;

    passControls(this, inner);
  }

  // it adds no promise of its own to one that every statement waits for
  executeQuery(query: Query, options?: object): Promise<QueryResult> {
    try {
      const target = this.#targetFor(query);
      const required = this.#settingsFor(query, target);

      const executing =
        required === undefined
          ? this.inner.executeQuery(query, options, target)
          : this.#whileBusy(() => this.#execute(query, required, options));

      return this.place === undefined ? executing : this.place.run(executing);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async *streamQuery(query: Query, chunkSize: number, options?: object): AsyncIterableIterator<QueryResult> {
    const required = this.#settingsFor(query, this.#targetFor(query));

    if (required === undefined) {
      yield* this.inner.streamQuery(query, chunkSize, options);
      return;
    }

    if (partsIn(query, required) !== undefined) {
      // there is nothing to be read bit by bit
      yield await this.executeQuery(query, options);
      return;
    }

    let release: () => void = () => undefined;
    const reading = new Promise<void>(resolve => {
      release = resolve;
    });
    const close = await this.#open(query, required);
    this.#busy = reading;
    // one that the reader stops before its end has not failed
    let failure: unknown;

    try {
      yield* this.inner.streamQuery(query, chunkSize, options);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      await close(failure).finally(release);
    }
  }

  /** Resolves when no statement of ours is under way: Kysely sends the ends of transactions and savepoints past its own queue. */
  idle(): Promise<void> | undefined {
    return this.#busy?.then(nothing, nothing);
  }

  /**
   * Never fails: Kysely gives a connection back when its transaction ends, and one whose beginning failed has none. What went wrong is
   * thrown to the first statement of the transaction, and to its commit.
   */
  begin(begin: () => Promise<void>): Promise<void> {
    const idle = this.idle();

    return idle === undefined ? this.#begun(begin) : idle.then(() => this.#begun(begin));
  }

  async #begun(begin: () => Promise<void>): Promise<void> {
    const transaction = new GuardedTransaction(this.#runner, this.#guard.roleNow());
    this.#transaction = transaction;

    try {
      await begin();
      transaction.hasBegun = true;
      await transaction.prepare(this.#isLacking() ? this.session.lacking : [], this.#guard);
    } catch (error) {
      transaction.failure = { error: this.#guard.explain(error, undefined) };
    }
  }

  async commit(commit: () => Promise<void>): Promise<void> {
    const idle = this.idle();

    if (idle !== undefined) {
      await idle;
    }

    this.#refuseFailed();
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

  async savepoint(savepoint: () => Promise<void>): Promise<void> {
    await this.idle();
    this.#refuseFailed();
    await this.#transaction?.takeRole();
    await savepoint();
  }

  #targetFor(query: Query): SqlTarget {
    this.#refuseFailed();

    return this.#guard.targetFor(query);
  }

  /** What the statement has to run with; undefined where it can be sent as it is. */
  #settingsFor(query: Query, target: SqlTarget): RequiredSettings | undefined {
    const required = this.#guard.settingsFor(query, target, this.#transaction !== undefined) ?? this.#pathFor(query);

    if (required?.kind === 'keeping' && this.#transaction !== undefined) {
      this.#transaction.hasKeptPath = true;
    }

    return required === undefined || this.#transaction?.passes(required, query.sql) === true ? undefined : required;
  }

  /** Where the connection lacks schemas, a statement gets a transaction that has them. */
  #pathFor(query: Query): RequiredSettings | undefined {
    return this.#transaction === undefined && this.#isLacking(query) && canHaveTransaction(query.sql) ? ANY_ROLE : undefined;
  }

  #isLacking(query?: Query): boolean {
    return this.session.lacking.length > 0 && this.#guard.isSearching(query);
  }

  #refuseFailed(): void {
    if (this.#transaction?.failure !== undefined) {
      throw this.#transaction.failure.error;
    }
  }

  // nobody but the caller waits for what this returns: an error's stack ends at a promise that two wait for
  #whileBusy<Result>(fn: () => Promise<Result>): Promise<Result> {
    const end = (): void => {
      if (this.#busy === done) {
        this.#busy = undefined;
      }
    };
    const done = fn().then(
      result => {
        end();

        return result;
      },
      (error: unknown) => {
        end();
        throw error;
      },
    );
    this.#busy = done;

    return done;
  }

  async #execute(query: Query, required: RequiredSettings, options: object | undefined): Promise<QueryResult> {
    const parts = partsIn(query, required) ?? [{ kind: 'other', sql: query.sql }];
    const callers = this.#transaction;

    if (callers === undefined && parts.length === 1 && NEEDS_NO_TRANSACTION.has(parts[0]?.kind ?? 'other')) {
      return this.inner.executeQuery(query, options);
    }

    if (callers === undefined && options === undefined && (required.kind === 'raw' || !this.#isLacking(query))) {
      const result = await sendInOneMessage(this.inner, query, required, { guard: this.#guard, session: this.session });

      if (result !== undefined) {
        return result;
      }
    }

    return inUnit(
      callers === undefined ? await this.#begin(query, required, parts.length) : { transaction: callers },
      async transaction => {
        if (transaction !== callers && transaction.hasAll(required)) {
          return this.inner.executeQuery(query, options);
        }

        const results: QueryResult[] = [];

        for (const { kind, sql } of parts) {
          const piece = parts.length === 1 ? query : { ...query, sql };
          const takesSettings = options === undefined && takesRaw(this.inner, piece);
          const part = { transaction, kind, sql, required, takesSettings };
          results.push(
            await this.#runner.run(part, around => this.inner.executeQuery(around === undefined ? piece : { ...piece, around }, options)),
          );
        }

        // as `pg` and Kysely answer a message of several statements
        return results.length === 1 && results[0] !== undefined ? results[0] : { rows: [] };
      },
    );
  }

  /** Sets what is required for what is read bit by bit. What it resolves with is to be told what the reading has failed of. */
  async #open(query: Query, required: RequiredSettings): Promise<(failure: unknown) => Promise<void>> {
    const unit = await this.#unit(query, required);
    const { sql } = query;
    const { transaction } = unit;

    try {
      const leave = await transaction.enter(required);

      return async failure => {
        if (failure === undefined) {
          await inUnit(unit, leave);
        } else if (unit.end === undefined) {
          await this.#runner.leaveFailed({ transaction, sql }, leave, failure);
        } else {
          await undo(unit, failure);
        }
      };
    } catch (error) {
      await undo(unit, error);
      throw error;
    }
  }

  /** Begins a transaction for a statement. What sets a path for it needs no other. */
  async #begin(query: Query, required: RequiredSettings, parts = 1): Promise<Unit> {
    const unit = await this.#runner.begin(required, parts);

    try {
      await (required.kind !== 'raw' && this.#isLacking(query) ? unit.transaction.prepare(this.session.lacking) : undefined);
    } catch (error) {
      await undo(unit, error);
      throw error;
    }

    return unit;
  }

  async #unit(query: Query, required: RequiredSettings): Promise<Unit> {
    const callers = this.#transaction;

    return callers === undefined
      ? this.#begin(query, required)
      : callers.isOpen
        ? { transaction: callers }
        : this.#runner.beginAgain(callers);
  }
}

const ANY_ROLE: RequiredSettings = { path: undefined, role: KEEP, kind: 'quiet' };

function nothing(): void {}
