import { setTimeout as pause } from 'node:timers/promises';
import pRetry from 'p-retry';
import { ALL_TENANTS, NONCE } from '../database/change-channel.js';
import type { ChangeListener } from './directory.js';
import { GRACE_MS } from './grace.js';

/** A connection on which notices of changed tenants arrive. */
export interface NoticeConnection {
  /** Whether notices that are sent on the ORM's own connections arrive: behind a transaction pooler they do not. Rejects where the connection is lost meanwhile. */
  isHearing(): Promise<boolean>;

  /** Resolves when the database has answered on the connection: what was told before has then arrived. */
  ping(): Promise<void>;

  /** Settles when the connection is gone, for whatever reason. */
  readonly ended: Promise<unknown>;

  close(): Promise<void>;
}

export interface ListenerOptions {
  /** Opens a connection that listens. Rejects where it cannot, and when the signal says that it is not wanted any more. */
  connect(onNotice: (payload: string) => void, signal: AbortSignal): Promise<NoticeConnection>;

  /** Called with the schema names of tenants that have changed; without any, all may have. */
  onChange(...schemaNames: readonly string[]): void;

  /** Called where a connection hears nothing, once until one does. */
  onDeaf(): void;

  /** Called where no connection can be had, once until one is. */
  onFailure(error: unknown): void;
}

/**
 * Keeps one connection that listens, from the first `start()` on, and opens another where it is lost. It keeps no process alive.
 * The connection is asked for an answer twice a second, as one that is cut by the network does not say so.
 */
export class Listener implements ChangeListener {
  readonly #options: ListenerOptions;
  #run: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  /** Since when changes are heard; undefined while they are not. */
  #since: number | undefined;
  /** When the latest ping was sent that was answered. */
  #inTouchAt = -Infinity;
  /** The connection that has not answered its latest ping yet. */
  #pinged: NoticeConnection | undefined;
  #isDeaf = false;
  #hasFailed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#run === undefined) {
      const stop = new AbortController();
      this.#run = { stop, ended: this.#listen(stop.signal) };
    }
  }

  wouldHaveHeard(since: number, now: number): boolean {
    return this.#isDeaf || this.hears(since, now);
  }

  hears(since: number, now: number): boolean {
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
        await this.#connectAndHear(signal);
      } catch {
        // closed, or of a kind that is not worth trying again at once
        await pause(DEAF_PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  async #connectAndHear(signal: AbortSignal): Promise<void> {
    const onFailedAttempt = ({ error }: { readonly error: unknown }): void => this.#failed(error, signal);
    const connection = await pRetry(() => this.#connect(signal), { ...BACK_OFF, signal, onFailedAttempt });
    this.#hasFailed = false;

    if (connection === undefined) {
      await pause(DEAF_PAUSE_MS, undefined, { signal, ref: false });
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

  /** A connection that hears; undefined where it hears nothing. */
  async #connect(signal: AbortSignal): Promise<NoticeConnection | undefined> {
    const connection = await this.#options.connect(payload => this.#hear(payload), signal);
    // not later: what is asked for from now on is not older than what is heard
    const since = performance.now();
    let isHearing = false;

    try {
      isHearing = (await connection.isHearing()) && !signal.aborted;
    } finally {
      if (!isHearing) {
        await connection.close();
      }
    }

    signal.throwIfAborted();

    if (isHearing) {
      [this.#since, this.#inTouchAt] = [since, since];
      this.#ping(connection);
    } else if (!this.#isDeaf) {
      this.#options.onDeaf();
    }

    this.#isDeaf = !isHearing;

    return isHearing ? connection : undefined;
  }

  #failed(error: unknown, { aborted }: AbortSignal): void {
    if (!this.#hasFailed && !aborted) {
      this.#hasFailed = true;
      this.#options.onFailure(error);
    }
  }

  #hear(payload: string): void {
    // somebody's question whether it hears
    if (payload.startsWith(NONCE)) {
      return;
    }

    // no schema has such a name: whoever sends it tells of no tenant
    if (payload.length > MAX_NAME) {
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

    // one that is not answered is not sent again and again
    if (sentAt - this.#inTouchAt > PATIENCE_MS) {
      void connection.close();
      return;
    }

    // `pg` warns where a second question is asked before the first is answered
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
        // its end is told by `ended`
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

const MAX_NAME = 63;

const PING_MS = 500;

/** After how long without an answer a connection is given up. */
const PATIENCE_MS = 5_000;

/** How long until a connection that heard nothing is tried again. */
const DEAF_PAUSE_MS = 60_000;

const BACK_OFF = { retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 2_000, randomize: true, unref: true };
