import { TestError } from '../../errors/testing-errors.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import { partsOf, splitStatements, type SqlKind } from '../../postgres/transaction-statements.js';
import type { SessionSettings } from './session-settings.js';
import type { Turns } from './turns.js';
import { emptyResult, sendAll, type Message, type Wire, type WireResult } from './wire.js';

/**
 * What the code under test takes for a connection of its own. All of them send on the one connection of the test, in its transaction: what
 * begins, commits or rolls back a transaction does so with a savepoint. A statement that fails outside of a transaction has a savepoint for
 * itself, as it would else be the end of the whole test.
 */
export class VirtualSession {
  readonly #test: SharedTransaction;
  /** The savepoint of the open transaction. */
  #savepoint: string | undefined;
  #hasFailed = false;
  #isReadOnly = false;
  readonly #touched = new Set<string>();

  constructor(test: SharedTransaction) {
    this.#test = test;
  }

  /** As the server would say it: idle, in a transaction, or in a failed one. */
  get status(): 'I' | 'T' | 'E' {
    return this.#savepoint === undefined ? 'I' : this.#hasFailed ? 'E' : 'T';
  }

  /** @throws TestError `TEST_COMMITS`, `TEST_OVERLAP` or `TEST_ENDED` */
  async query(message: Message): Promise<WireResult | readonly WireResult[]> {
    // a notice is sent at a commit, and there is none
    if (NOTICE.test(message.sql)) {
      return { ...emptyResult('SELECT'), rowCount: 1, rows: [{ pg_notify: '' }] };
    }

    const parts = this.#partsOf(message);

    if (parts === undefined) {
      return this.#turn(message.sql, false, () => this.#send(message));
    }

    const results: WireResult[] = [];

    for (const { kind, sql } of parts) {
      const isEnd = kind === 'end' || kind === 'chain';
      const part = kind === 'other' ? { ...message, sql } : { sql };
      results.push(...[await this.#turn(sql, isEnd, () => this.#runPart(kind, part))].flat());
    }

    return results.length === 1 ? (results[0] as WireResult) : results;
  }

  /** Ends what is open when the connection is given back, as the server does when one is closed. */
  async release(): Promise<void> {
    if (this.#savepoint !== undefined && !this.#test.hasEnded) {
      await this.#turn('rollback', true, () => this.#rollback());
    }
  }

  #partsOf({ sql }: Message): readonly { readonly kind: SqlKind; readonly sql: string }[] | undefined {
    return partsOf(sql)?.flatMap(part =>
      part.kind === 'plain' || part.kind === 'lock' ? splitStatements(part.sql).map(each => ({ kind: part.kind, sql: each })) : [part],
    );
  }

  #turn<Result>(sql: string, ends: boolean, fn: () => Promise<Result>): Promise<Result> {
    const { hasEnded, name, turns } = this.#test;

    if (hasEnded) {
      return Promise.reject(TestError.ended(name, sql));
    }

    return turns.run(this, {
      isNested: this.#test.isInTransaction(),
      ends: ends && this.#savepoint !== undefined,
      fn: async () => {
        await this.#test.sendDeferred();

        return fn();
      },
    });
  }

  #runPart(kind: SqlKind, message: Message): Promise<WireResult | readonly WireResult[]> {
    switch (kind) {
      case 'begin':
        return this.#begin(message.sql);
      case 'end':
        return this.#end(message.sql);
      case 'chain':
        return this.#end(message.sql).then(async result => {
          await this.#begin('begin');

          return result;
        });
      case 'savepoint':
      case 'plain':
      case 'lock':
      case 'other':
        // one transaction for all has its isolation level already
        return ISOLATION.test(message.sql) ? Promise.resolve(emptyResult('SET')) : this.#send(message);
    }
  }

  async #begin(sql: string): Promise<WireResult> {
    // PostgreSQL warns, and goes on
    if (this.#savepoint === undefined) {
      this.#savepoint = this.#test.turns.open === 0 ? GUARD : await this.#nested();
      this.#hasFailed = false;
      this.#isReadOnly = READ_ONLY.test(sql);
      this.#test.turns.begin(this);

      if (this.#isReadOnly) {
        await this.#test.wire.send({ sql: 'set transaction read only' });
      }
    }

    return emptyResult('BEGIN');
  }

  /** A savepoint inside of the transaction of another session. */
  async #nested(): Promise<string> {
    const savepoint = this.#test.nextSavepoint();
    await this.#test.wire.send({ sql: `savepoint ${savepoint}` });

    return savepoint;
  }

  async #end(sql: string): Promise<WireResult> {
    if (/^\s*prepare\b/i.test(sql)) {
      throw TestError.commits(this.#test.name, sql, 'a prepared transaction outlives the one that it is in');
    }

    if (this.#savepoint === undefined) {
      return emptyResult('COMMIT');
    }

    // what was only read can be rolled back, and that alone ends `read only`
    if (/^\s*(?:rollback|abort)\b/i.test(sql) || this.#hasFailed || this.#isReadOnly) {
      const hasFailed = this.#hasFailed || !this.#isReadOnly;
      await this.#rollback();

      return emptyResult(hasFailed ? 'ROLLBACK' : 'COMMIT');
    }

    await this.#commit(this.#savepoint);

    return emptyResult('COMMIT');
  }

  async #commit(savepoint: string): Promise<void> {
    const { settings, wire, checksAtCommit } = this.#test;

    try {
      for (const sql of checksAtCommit) {
        await wire.send({ sql });
      }
    } catch (error) {
      await this.#rollback();
      throw error;
    }

    this.#close();
    const restore = settings.restore(this.#touched);
    this.#touched.clear();
    this.#test.defer([
      `release savepoint ${savepoint}`,
      ...(restore === undefined ? [] : [restore]),
      ...(savepoint === GUARD ? [`savepoint ${GUARD}`] : []),
    ]);
  }

  async #rollback(): Promise<void> {
    const savepoint = this.#savepoint;
    this.#close();
    this.#touched.clear();
    await this.#undo(savepoint);
  }

  /** The guard stays: it is where the next statement comes back to. */
  async #undo(savepoint: string | undefined): Promise<void> {
    await sendAll(this.#test.wire, [
      `rollback to savepoint ${savepoint}`,
      ...(savepoint === GUARD ? [] : [`release savepoint ${savepoint}`]),
    ]);
  }

  #close(): void {
    this.#savepoint = undefined;
    this.#hasFailed = false;
    this.#isReadOnly = false;
    this.#test.turns.end(this);
  }

  async #send(message: Message): Promise<WireResult | readonly WireResult[]> {
    try {
      return await (this.#savepoint === undefined ? this.#sendAlone(message) : this.#sendInside(message));
    } catch (error) {
      throw hasSqlState(error, NEEDS_NO_TRANSACTION) ? TestError.commits(this.#test.name, message.sql, error) : error;
    }
  }

  async #sendInside(message: Message): Promise<WireResult | readonly WireResult[]> {
    await this.#test.settings.before(message.sql, this.#touched);

    try {
      const result = await this.#test.wire.send(message);
      // `rollback to` mends a failed transaction
      this.#hasFailed = false;

      return result;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }

  async #sendAlone(message: Message): Promise<WireResult | readonly WireResult[]> {
    const { settings, turns, wire } = this.#test;
    const isNested = turns.open > 0;
    const savepoint = isNested ? await this.#nested() : GUARD;
    const keep = [`release savepoint ${savepoint}`, ...(isNested ? [] : [`savepoint ${GUARD}`])];
    let result: WireResult | readonly WireResult[];

    try {
      if (wire.takesScripts && message.values === undefined && message.options === undefined) {
        // one message: what is wrong in it is found before, or leaves the savepoint that was there
        const results = [await wire.send({ sql: `${message.sql}\n;${keep.join(';')}` })].flat().slice(0, -keep.length);
        result = results.length === 1 ? (results[0] as WireResult) : results.length === 0 ? emptyResult('') : results;
      } else {
        result = await wire.send(message);
        await sendAll(wire, keep);
      }
    } catch (error) {
      await this.#undo(savepoint);
      throw error;
    }

    await settings.after(message.sql);

    return result;
  }
}

/** The savepoint of the test to which a statement or a transaction that fails comes back. What succeeds sets it anew behind itself. */
export const GUARD = 'landlord_test';

const ISOLATION =
  /^\s*set\s+(?:(?:local|session)\s+)?(?:transaction|session\s+characteristics)\s+(?:isolation|read\s+write|(?:not\s+)?deferrable|snapshot)\b/i;

/** What the library tells other processes of a tenant, as it sends it. */
const NOTICE = /^select pg_notify\('landlord:[\w.]+', '\w+'\)$/;

const READ_ONLY = /\bread\s+only\b/i;

/** What PostgreSQL says of a statement or a procedure that ends transactions by itself. */
const NEEDS_NO_TRANSACTION = ['25001', '2D000'] as const;

/** The transaction of a test, as its sessions use it. */
export interface SharedTransaction {
  readonly name: string;
  readonly wire: Wire;
  readonly turns: Turns<VirtualSession>;
  readonly settings: SessionSettings;
  readonly hasEnded: boolean;
  /** What a commit has to check, which a savepoint does not. */
  readonly checksAtCommit: readonly string[];
  isInTransaction(): boolean;
  nextSavepoint(): string;
  /** Leaves statements to be sent before the next message. If none follows, they are not needed. */
  defer(statements: readonly string[]): void;
  sendDeferred(): Promise<void>;
}
