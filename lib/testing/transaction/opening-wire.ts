import { sendAll, type Message, type Wire, type WireResult } from './wire.js';

/**
 * The connection of one test. Its transaction begins with the first message, and in the same one where that can be: a test that sends nothing costs
 * nothing. After the end of the test nothing is sent any more, as it would be committed.
 */
export class OpeningWire implements Wire {
  readonly takesScripts: boolean;
  readonly processID: number | null | undefined;
  readonly #wire: Wire;
  readonly #opening: Opening;
  #isOpen = false;
  #hasEnded = false;
  #underWay: Promise<unknown> | undefined;

  constructor(wire: Wire, opening: Opening) {
    this.takesScripts = wire.takesScripts;
    this.processID = wire.processID;
    this.#wire = wire;
    this.#opening = opening;
  }

  async send(message: Message): Promise<WireResult | readonly WireResult[]> {
    while (!this.#isOpen && this.#underWay !== undefined) {
      await this.#underWay;
    }

    if (this.#hasEnded) {
      throw this.#opening.explainEnd(message.sql);
    }

    if (this.#isOpen) {
      return this.#wire.send(message);
    }

    const sent = this.#openWith(message);
    this.#underWay = sent.then(
      () => undefined,
      () => undefined,
    );

    try {
      return await sent;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** Ends the transaction by these statements, if it was begun. */
  async end(statements: readonly string[]): Promise<void> {
    this.#hasEnded = true;
    await this.#underWay;

    if (this.#isOpen) {
      await sendAll(this.#wire, statements);
    }
  }

  async #openWith(message: Message): Promise<WireResult | readonly WireResult[]> {
    const { statements, opened } = this.#opening;

    if (this.takesScripts && message.values === undefined && message.options === undefined) {
      try {
        const results = [await this.#wire.send({ sql: [...statements, message.sql].join(';') })].flat();
        opened(results.slice(0, statements.length));
        this.#isOpen = true;

        return results.length === statements.length + 1 ? (results.at(-1) as WireResult) : results.slice(statements.length);
      } catch {
        // its own error, with its own positions, comes from the message alone
        await this.#wire.send({ sql: 'rollback' });
      }
    }

    await this.#open();

    if (this.#hasEnded) {
      throw this.#opening.explainEnd(message.sql);
    }

    return this.#wire.send(message);
  }

  async #open(): Promise<void> {
    const { statements, opened } = this.#opening;
    const results: WireResult[] = [];

    if (!this.takesScripts) {
      // the database has this session alone, which has not reported yet what it changed before the test
      await this.#wire.send({ sql: 'select pg_stat_force_next_flush()' });
    }

    for (const sql of this.takesScripts ? [statements.join(';')] : statements) {
      results.push(...[await this.#wire.send({ sql })].flat());
    }

    opened(results);
    this.#isOpen = true;
  }
}

interface Opening {
  /** What begins the transaction, each with one result. */
  readonly statements: readonly string[];
  readonly opened: (results: readonly WireResult[]) => void;
  readonly explainEnd: (sql: string) => Error;
}
