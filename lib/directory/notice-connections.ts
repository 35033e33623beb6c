import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Platform } from '@mikro-orm/core';
import { isPooled, type PgClient } from '../connection/pool/pooled-connection.js';
import { quoteIdentifier } from '../postgres/schema-name.js';
import { isPglite } from '../tenant/is-pglite.js';
import { NONCE } from '../database/change-channel.js';
import type { NoticeConnection } from './listener.js';

export interface NoticeOptions {
  readonly platform: Platform;
  readonly channel: string;
  readonly onNotice: (payload: string) => void;
  /** The URL of the database to listen on, if it differs from that of the pool. */
  readonly url?: string;
  readonly signal: AbortSignal;
}

/**
 * Listens on a separate connection, with the client class and the settings of the pool. Undefined if the pool does not expose them, or if
 * the connection goes through a pooler: it would hand the listening server connection to other clients. A given URL is not checked for a
 * pooler.
 */
export async function listenOn(native: unknown, options: NoticeOptions): Promise<NoticeConnection | undefined> {
  if (isPool(native)) {
    return listenBesidePool(native, options);
  }

  // no native client: the connection is of a dialect of the user's own
  return isPglite(options.platform) && native !== undefined ? listenInProcess(native as Pglite, options) : undefined;
}

/**
 * Relies on `pg` 8: a pool has its client class as `Client` and the settings as `options`. Kysely relies on these too. The password is in
 * the options, but not enumerable.
 */
async function listenBesidePool(pool: Pool, { channel, onNotice, url, signal }: NoticeOptions): Promise<NoticeConnection | undefined> {
  // No additional settings: some of them (`keepAlive`, `connectionTimeoutMillis`) add properties to clients and sockets. V8 then sees a
  // second hidden class, and every query of the process becomes slower.
  const client = new pool.Client({
    ...pool.options,
    password: pool.options['password'],
    ...(url === undefined ? {} : { connectionString: url }),
  });
  // only the own question is kept, because anybody may send notices on the channel
  let asked: { readonly nonce: string; isHeard: boolean } | undefined;
  const ended = new Promise<void>(resolve => client.once('end', () => resolve()));
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', abort);
    // a connection that the network has cut does not answer `end()`
    const limit = setTimeout(() => client.connection?.stream.destroy(), CLOSE_TIMEOUT_MS);
    await client.end().catch(() => undefined);
    clearTimeout(limit);
  };
  const abort = (): void => void close();
  // an `error` event without a listener would end the process. `end` follows it
  client.on('error', () => void close());
  client.on('notification', message => {
    if (message.channel === channel && message.payload !== undefined) {
      if (message.payload === asked?.nonce) {
        asked.isHeard = true;
      }

      onNotice(message.payload);
    }
  });
  signal.throwIfAborted();
  signal.addEventListener('abort', abort, { once: true });

  // a network that drops all packets would block this for ever, at any of its steps
  const limit = setTimeout(() => void close(), CONNECT_TIMEOUT_MS).unref();

  try {
    client.unref();
    // `connect()` never settles if the client is ended meanwhile
    await Promise.race([client.connect(), ended.then(() => Promise.reject(new Error('Connection terminated')))]);
    // TLS has replaced the socket
    client.unref();

    if (url === undefined && (await isPooled(client))) {
      await close();

      return undefined;
    }

    await client.query(NAME_CONNECTION);
    await client.query(`listen ${quoteIdentifier(channel)}`);
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(limit);
  }

  return {
    ended,
    close,
    ping: async () => {
      await client.query('select 1');
    },
    receivesNotices: async () => {
      const question = { nonce: `${NONCE}${randomUUID()}`, isHeard: false };
      asked = question;
      // a lost connection receives nothing either, but the next one may
      const lost = ended.then(() => Promise.reject(new Error('Connection terminated')));
      await Promise.race([pool.query('select pg_notify($1, $2)', [channel, question.nonce]), lost]);

      for (let waited = 0; waited < NOTICE_TIMEOUT_MS && !question.isHeard && !signal.aborted; waited += 10) {
        await Promise.race([pause(10, undefined, { ref: false }), lost]);
      }

      if (!question.isHeard) {
        // if the connection works, the answer proves that every earlier notification has arrived. If the network has cut it, it is closed
        const limit = setTimeout(() => void close(), ANSWER_TIMEOUT_MS).unref();
        await Promise.race([client.query('select 1'), lost]).finally(() => clearTimeout(limit));
      }

      asked = undefined;

      return question.isHeard;
    },
  };
}

async function listenInProcess(pglite: Pglite, { channel, onNotice }: NoticeOptions): Promise<NoticeConnection> {
  // PGlite folds the case of a name without quotes
  const stop = await pglite.listen(quoteIdentifier(channel), onNotice);

  return {
    // it ends only with the database
    ended: new Promise(() => undefined),
    ping: async () => undefined,
    receivesNotices: async () => true,
    close: async () => {
      if (!pglite.closed) {
        await stop();
      }
    },
  };
}

function isPool(native: unknown): native is Pool {
  const { Client, query } = (native ?? {}) as Partial<Pool>;

  return typeof Client === 'function' && typeof query === 'function';
}

/** Like `fallback_application_name`, which a pooler would keep for the next client. */
const NAME_CONNECTION = `select set_config('application_name', 'landlord directory', false) where current_setting('application_name') = ''`;

/** Longer than any notification needs to arrive. */
const NOTICE_TIMEOUT_MS = 2_000;

const CONNECT_TIMEOUT_MS = 10_000;

const ANSWER_TIMEOUT_MS = 2_000;

const CLOSE_TIMEOUT_MS = 200;

interface Pool {
  readonly Client: new (options: object) => Client;
  readonly options: Readonly<Record<string, unknown>>;
  query(sql: string, params: readonly unknown[]): Promise<unknown>;
}

interface Client extends PgClient {
  readonly connection?: { readonly stream: { destroy(): unknown } };
  connect(): Promise<unknown>;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'notification', listener: (message: { readonly channel: string; readonly payload?: string }) => void): unknown;
  once(event: 'end', listener: () => void): unknown;
  unref(): void;
}

interface Pglite {
  readonly closed: boolean;
  listen(channel: string, listener: (payload: string) => void): Promise<() => Promise<void>>;
}
