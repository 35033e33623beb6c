import { TestError } from '../../errors/testing-errors.js';
import { OpeningWire } from './opening-wire.js';
import { READS_SETTINGS, SessionSettings } from './session-settings.js';
import { Turns } from './turns.js';
import { GUARD, VirtualSession, type SharedTransaction } from './virtual-session.js';
import { sendAll, type Wire } from './wire.js';

/** The transaction of one test, on one connection, that is always rolled back. */
export class TestTransaction implements SharedTransaction {
  readonly name: string;
  readonly wire: OpeningWire;
  readonly turns: Turns<VirtualSession>;
  readonly settings: SessionSettings;
  readonly isInTransaction: () => boolean;
  readonly checksAtCommit: readonly string[];
  readonly #sessions = new Set<VirtualSession>();
  readonly #held = new Set<VirtualSession>();
  #deferred: readonly string[] = [];
  #savepoints = 0;
  #hasEnded = false;

  constructor(name: string, { wire, isInTransaction, checksAtCommit }: TestTransactionOptions) {
    this.name = name;
    this.wire = new OpeningWire(wire, {
      statements: ['begin', READS_SETTINGS, `savepoint ${GUARD}`],
      opened: ([, settings]) => this.settings.begin(settings),
      explainEnd: sql => TestError.ended(name, sql),
    });
    this.isInTransaction = isInTransaction;
    this.checksAtCommit = checksAtCommit;
    this.settings = new SessionSettings(this.wire);
    this.turns = new Turns(() => TestError.overlap(name));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Rolls all back, and says what was not finished. */
  async end(): Promise<readonly string[]> {
    const unfinished = await this.#unfinished();
    this.#hasEnded = true;
    // a rollback leaves locks of the session, and counts of rows that the next transaction would take for its own
    await this.wire.end(['rollback', 'select pg_advisory_unlock_all(), pg_stat_force_next_flush()']);

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
  readonly checksAtCommit: readonly string[];
}
