import { setTimeout as pause } from 'node:timers/promises';
import pRetry from 'p-retry';
import { ALL_TENANTS, NONCE } from '../database/change-channel.js';
import type { ChangeListener } from './directory.js';
import { GRACE_MS } from './grace.js';

/** A connection that receives the notifications of changed tenants. */
export interface NoticeConnection {
  /**
   * Whether notifications from the connections of the ORM arrive here. Behind a transaction pooler they do not. Rejects if the connection
   * is lost meanwhile.
   */
  receivesNotices(): Promise<boolean>;

  /** Resolves when the database has answered on this connection. Every earlier notification has then arrived. */
  ping(): Promise<void>;

  /** Settles when the connection has ended for any reason. */
  readonly ended: Promise<unknown>;

  close(): Promise<void>;
}

export interface ListenerOptions {
  /** Runs what goes on for as long as the listener does. Else it would keep whatever the first request has in its AsyncLocalStorages. */
  runInContext<Result>(fn: () => Result): Result;

  /** Opens a connection that listens. Rejects if that fails, or if the signal is aborted. */
  connect(onNotice: (payload: string) => void, signal: AbortSignal): Promise<NoticeConnection>;

  /** Called with the schema names of changed tenants. Without names, all tenants may have changed. */
  onChange(...schemaNames: readonly string[]): void;

  /** Called when a connection receives no notifications: once, until a connection receives them again. */
  onNoNotices(): void;

  /** Called when no connection can be opened: once, until one is opened again. */
  onFailure(error: unknown): void;
}

/**
 * Keeps one listening connection open from the first `start()` on, and replaces it when it is lost. It does not keep the process alive.
 * The connection is pinged twice a second, because a connection that the network has cut reports no error.
 */
export class Listener implements ChangeListener {
  readonly #options: ListenerOptions;
  #run: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  /** When listening began. Undefined while no connection listens. */
  #since: number | undefined;
  /** When the latest answered ping was sent. */
  #inTouchAt = -Infinity;
  /** The connection whose latest ping is not answered yet. */
  #pinged: NoticeConnection | undefined;
  #isSilent = false;
  #hasFailed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#run === undefined) {
      const stop = new AbortController();
      this.#run = { stop, ended: this.#options.runInContext(() => this.#listen(stop.signal)) };
    }
  }

  wouldHaveReported(since: number, now: number): boolean {
    return this.#isSilent || this.receives(since, now);
  }

  receives(since: number, now: number): boolean {
    return this.#since !== undefined && since >= this.#since && now - this.#inTouchAt <= GRACE_MS;
  }

  async close(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    run?.stop.abort();
    await run?.ended;
  }

  async #listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#connectAndListen(signal);
      } catch {
        // closed, or an error for which an immediate retry is pointless
        await pause(RETRY_PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  async #connectAndListen(signal: AbortSignal): Promise<void> {
    const onFailedAttempt = ({ error }: { readonly error: unknown }): void => this.#reportFailure(error, signal);
    const connection = await pRetry(() => this.#connect(signal), { ...BACK_OFF, signal, onFailedAttempt });
    this.#hasFailed = false;

    if (connection === undefined) {
      await pause(RETRY_PAUSE_MS, undefined, { signal, ref: false });
      return;
    }

    const pings = setInterval(() => this.#ping(connection), PING_MS).unref();

    try {
      await Promise.race([connection.ended, aborted(signal)]);
    } finally {
      clearInterval(pings);
      this.#since = undefined;
      await connection.close();
    }
  }

  /** Opens a connection that receives notifications. Undefined if it receives none. */
  async #connect(signal: AbortSignal): Promise<NoticeConnection | undefined> {
    const connection = await this.#options.connect(payload => this.#receive(payload), signal);
    // taken before the test: every change after this moment is received
    const since = performance.now();
    let receivesNotices = false;

    try {
      receivesNotices = (await connection.receivesNotices()) && !signal.aborted;
    } finally {
      if (!receivesNotices) {
        await connection.close();
      }
    }

    signal.throwIfAborted();

    if (receivesNotices) {
      [this.#since, this.#inTouchAt] = [since, since];
      this.#ping(connection);
    } else if (!this.#isSilent) {
      this.#options.onNoNotices();
    }

    this.#isSilent = !receivesNotices;

    return receivesNotices ? connection : undefined;
  }

  #reportFailure(error: unknown, { aborted }: AbortSignal): void {
    if (!this.#hasFailed && !aborted) {
      this.#hasFailed = true;
      this.#options.onFailure(error);
    }
  }

  #receive(payload: string): void {
    // a test notification of `receivesNotices()`
    if (payload.startsWith(NONCE)) {
      return;
    }

    if (payload === ALL_TENANTS) {
      this.#options.onChange();
    } else {
      this.#options.onChange(payload);
    }
  }

  #ping(connection: NoticeConnection): void {
    const sentAt = performance.now();

    // no answer for too long: the connection is dead
    if (sentAt - this.#inTouchAt > PING_TIMEOUT_MS) {
      void connection.close();
      return;
    }

    // `pg` warns about a query that is queued behind another one
    if (this.#pinged === connection) {
      return;
    }

    this.#pinged = connection;
    connection
      .ping()
      .then(
        () => {
          this.#inTouchAt = Math.max(this.#inTouchAt, sentAt);
        },
        // `ended` reports the loss
        () => undefined,
      )
      .finally(() => {
        this.#pinged = this.#pinged === connection ? undefined : this.#pinged;
      });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) {
      resolve();
    }

    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const PING_MS = 500;

/** How long a connection may leave pings without an answer. */
const PING_TIMEOUT_MS = 5_000;

/** The pause before the next attempt, after a connection that receives no notifications. */
const RETRY_PAUSE_MS = 60_000;

const BACK_OFF = { retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 2_000, randomize: true, unref: true };
