import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import type { SpecDatabase } from '../databases/database.ts';
import { open, send, sendBytes, type HttpRequest, type HttpResponse } from './http.ts';

export type RequestOptions = Omit<HttpRequest, 'port' | 'host' | 'path'>;

/** A server on a free local port, and a client that sets the `Host` header. */
export interface WebServer {
  readonly port: number;
  /** The errors of the `error` event of a Koa application. Clear it with `.length = 0`. */
  readonly errors: unknown[];
  get(host: string, path?: string, options?: RequestOptions): Promise<HttpResponse>;
  /** Resolves to the response as soon as it begins. Destroying it closes the connection. */
  open(host: string, path?: string, options?: RequestOptions): Promise<IncomingMessage>;
  /** Sends raw bytes, and resolves to all received bytes once the server closes the connection. */
  raw(bytes: string): Promise<string>;
  /** Closes all connections, and then waits for the work on their requests. */
  close(): Promise<void>;
}

/** Serves a Koa application or whatever listens to requests. Where a database is given, what is opened on it is closed after the server. */
export async function serve(served: Koa | Listener, database?: Pick<SpecDatabase, 'atEnd'>): Promise<WebServer> {
  const errors: unknown[] = [];

  if (typeof served !== 'function') {
    served.on('error', error => errors.push(error));
  }

  const { port, close } = await listen(typeof served === 'function' ? served : served.callback());
  database?.atEnd(close);
  // as it is, so that a spec says of the port what it means to
  const at = (host: string, path = '/', { headers, ...options }: RequestOptions = {}): HttpRequest => ({
    port,
    path,
    headers: { ...headers, host },
    ...options,
  });

  return {
    port,
    errors,
    get: (...args) => send(at(...args)),
    open: (...args) => open(at(...args)),
    raw: bytes => sendBytes(port, bytes),
    close,
  };
}

/** For the specs of a `describe`. Each server is closed after the spec that opened it. */
export function serveUntilSpecEnds(): (served: Koa | Listener) => Promise<WebServer> {
  const servers: WebServer[] = [];

  afterEach(async () => {
    await Promise.all(servers.splice(0).map(server => server.close()));
  });

  return async served => {
    const server = await serve(served);
    servers.push(server);

    return server;
  };
}

type Listener = (...args: Parameters<RequestListener>) => unknown;

async function listen(listener: Listener): Promise<Pick<WebServer, 'port' | 'close'>> {
  const underWay = new Set<unknown>();
  const answer = async (...args: Parameters<RequestListener>): Promise<void> => {
    const answered = listener(...args);
    underWay.add(answered);
    await answered;
    underWay.delete(answered);
  };
  const server = createServer((req, res) => void answer(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
      await Promise.all(underWay);
    },
  };
}
