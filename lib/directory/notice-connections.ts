import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isPooled, type PgClient } from '../connection/pooled-connection.js';
import { quoteIdentifier } from '../postgres/schema-name.js';
import { NONCE } from '../database/change-channel.js';
import type { NoticeConnection } from './listener.js';

export interface NoticeOptions {
  readonly channel: string;
  readonly onNotice: (payload: string) => void;
  /** The database to listen on, where it is not the pool's. */
  readonly url?: string;
  readonly signal: AbortSignal;
}

/**
 * Listens on a connection of its own, made by the class and the settings of the pool. Undefined where it is not told how, and where a
 * pooler would give the server's connection to others, who would find it listening; a URL that is given is taken at its word.
 */
export async function listenOn(native: unknown, options: NoticeOptions): Promise<NoticeConnection | undefined> {
  if (isPool(native)) {
    return listenBesidePool(native, options);
  }

  return isPglite(native) ? listenInProcess(native, options) : undefined;
}

/**
 * Relies on the pool of `pg` 8 having the class of its clients as `Client` and what it makes them with as `options`, as Kysely does too, and
 * on the password being there, though not enumerable.
 */
async function listenBesidePool(pool: Pool, { channel, onNotice, url, signal }: NoticeOptions): Promise<NoticeConnection | undefined> {
  // With no setting of its own: for some (`keepAlive`, `connectionTimeoutMillis`) Node and `pg` give sockets and clients more properties, and
  // one more hidden class makes V8 slower wherever the pool's are read, which is in each query of the process.
  const client = new pool.Client({
    ...pool.options,
    password: pool.options['password'],
    ...(url === undefined ? {} : { connectionString: url }),
  });
  // our own question alone: whoever may send notices must not make this process keep them
  let asked: { readonly nonce: string; isHeard: boolean } | undefined;
  const ended = new Promise<void>(resolve => client.once('end', () => resolve()));
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', abort);
    // one that is cut off hears no goodbye
    const limit = setTimeout(() => client.connection?.stream.destroy(), GOODBYE_MS);
    await client.end().catch(() => undefined);
    clearTimeout(limit);
  };
  const abort = (): void => void close();
  // an error without a listener would end the process; what follows it is the end
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

  try {
    client.unref();
    // a network that drops everything would else be waited for without end
    const limit = setTimeout(() => void close(), CONNECT_TIMEOUT_MS).unref();
    // one that is ended while it connects never says how that came out
    await Promise.race([client.connect(), ended.then(() => Promise.reject(new Error('Connection terminated')))]).finally(() =>
      clearTimeout(limit),
    );
    // a secured connection has another socket by now
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
  }

  return {
    ended,
    close,
    ping: async () => {
      await client.query('select 1');
    },
    isHearing: async () => {
      const question = { nonce: `${NONCE}${randomUUID()}`, isHeard: false };
      asked = question;
      // one that is lost hears nothing either, which says nothing of the next one
      const lost = ended.then(() => Promise.reject(new Error('Connection terminated')));
      await Promise.race([pool.query('select pg_notify($1, $2)', [channel, question.nonce]), lost]);

      for (let waited = 0; waited < HEARING_MS && !question.isHeard && !signal.aborted; waited += 10) {
        await Promise.race([pause(10, undefined, { ref: false }), lost]);
      }

      if (!question.isHeard) {
        // cut off by the network, it does not answer; else what was told before has arrived by then
        const limit = setTimeout(() => void close(), ANSWER_MS).unref();
        await Promise.race([client.query('select 1'), lost]).finally(() => clearTimeout(limit));
      }

      asked = undefined;

      return question.isHeard;
    },
  };
}

async function listenInProcess(pglite: Pglite, { channel, onNotice }: NoticeOptions): Promise<NoticeConnection> {
  // it folds the case of a name that is not quoted
  const stop = await pglite.listen(quoteIdentifier(channel), onNotice);

  return {
    // as long as the database
    ended: new Promise(() => undefined),
    ping: async () => undefined,
    isHearing: async () => true,
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

function isPglite(native: unknown): native is Pglite {
  return typeof (native as Partial<Pglite> | undefined)?.listen === 'function';
}

/** As `fallback_application_name` would, which a pooler passes on to whoever comes next. */
const NAME_CONNECTION = `select set_config('application_name', 'landlord directory', false) where current_setting('application_name') = ''`;

/** Longer than any notice takes that is passed on at all. */
const HEARING_MS = 2_000;

const CONNECT_TIMEOUT_MS = 10_000;

const ANSWER_MS = 2_000;

const GOODBYE_MS = 200;

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
