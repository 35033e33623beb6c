import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import type { SpecDatabase } from '../databases/database.ts';
import { open, send, sendBytes, type HttpRequest, type HttpResponse } from './http.ts';

export type RequestOptions = Omit<HttpRequest, 'port' | 'host' | 'path'>;

/** A server on a free port of this machine, and a client that says which host it means. */
export interface WebServer {
  readonly port: number;
  /** What the `error` event of a Koa application was given. To be emptied with `.length = 0`. */
  readonly errors: unknown[];
  get(host: string, path?: string, options?: RequestOptions): Promise<HttpResponse>;
  /** The answer as soon as it begins; destroying it hangs up. */
  open(host: string, path?: string, options?: RequestOptions): Promise<IncomingMessage>;
  /** Sends bytes as they are, and gives those that come back until the server hangs up. */
  raw(bytes: string): Promise<string>;
  /** Hangs up on everybody, and then waits for the work on what they asked for. */
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

/** For the specs of a `describe`: what it serves is closed after the spec that asked for it. */
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
