import { TestError } from '../../errors/testing-errors.js';
import { SessionSettings } from './session-settings.js';
import { Turns } from './turns.js';
import { GUARD, VirtualSession, type SharedTransaction } from './virtual-session.js';
import { sendAll, type Wire } from './wire.js';

/** The transaction of one test, on one connection, that is always rolled back. */
export class TestTransaction implements SharedTransaction {
  readonly name: string;
  readonly wire: Wire;
  readonly turns: Turns<VirtualSession>;
  readonly settings: SessionSettings;
  readonly isInTransaction: () => boolean;
  readonly #sessions = new Set<VirtualSession>();
  readonly #held = new Set<VirtualSession>();
  #checksAtCommit: readonly string[] = [];
  #deferred: readonly string[] = [];
  #savepoints = 0;
  #hasEnded = false;

  constructor(name: string, { wire, isInTransaction }: TestTransactionOptions) {
    this.name = name;
    this.wire = wire;
    this.isInTransaction = isInTransaction;
    this.settings = new SessionSettings(wire);
    this.turns = new Turns(() => TestError.overlap(name));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get checksAtCommit(): readonly string[] {
    return this.#checksAtCommit;
  }

  async begin({ checksAtCommit }: { readonly checksAtCommit: readonly string[] }): Promise<void> {
    this.#checksAtCommit = checksAtCommit;
    await this.settings.open('begin', `savepoint ${GUARD}`);
  }

  /** Rolls all back, and says what was not finished. */
  async end(): Promise<readonly string[]> {
    const unfinished = await this.#unfinished();
    this.#hasEnded = true;
    // a rollback leaves locks of the session, and counts of rows that the next transaction would take for its own
    await sendAll(this.wire, ['rollback', 'select pg_advisory_unlock_all(), pg_stat_force_next_flush()']);

    return unfinished;
  }

  nextSavepoint(): string {
    this.#savepoints += 1;

    return `landlord_test_${this.#savepoints}`;
  }

  defer(statements: readonly string[]): void {
    this.#deferred = [...this.#deferred, ...statements];
  }

  async sendDeferred(): Promise<void> {
    const statements = this.#deferred;

    if (statements.length > 0) {
      this.#deferred = [];
      await sendAll(this.wire, statements);
    }
  }

  /** A connection for the code under test: one that is free, else a new one. */
  acquire(): VirtualSession {
    const free = [...this.#sessions].find(session => !this.#held.has(session)) ?? new VirtualSession(this);
    this.#sessions.add(free);
    this.#held.add(free);

    return free;
  }

  async release(session: VirtualSession): Promise<void> {
    try {
      await session.release();
    } finally {
      this.#held.delete(session);
    }
  }

  /** What is given back within a moment was not left: the end of a response comes before that of its handler. */
  async #unfinished(): Promise<readonly string[]> {
    for (let waited = 0; waited < GRACE_MS && (this.#held.size > 0 || this.turns.waiting > 0); waited += STEP_MS) {
      await new Promise(resolve => setTimer(resolve, STEP_MS));
    }

    return [
      ...(this.turns.open > 0 ? [`${this.turns.open} open transactions`] : []),
      ...(this.turns.waiting > 0 ? [`${this.turns.waiting} statements without an answer`] : []),
      ...(this.#held.size > 0 ? [`${this.#held.size} connections that were not given back`] : []),
    ];
  }
}

const { setTimeout: setTimer } = globalThis;

const GRACE_MS = 200;

const STEP_MS = 5;

interface TestTransactionOptions {
  readonly wire: Wire;
  /** Whether the calling flow is in a transaction of the ORM. */
  readonly isInTransaction: () => boolean;
}
