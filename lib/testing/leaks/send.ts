import { createServer, request, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LeakRequest } from './requests.js';

/** Serves the application for the leak suite, and sends requests to it over HTTP, as visitors do. */
export async function serve(app: ServedApp): Promise<{ send(request: LeakRequest): Promise<Answer>; close(): Promise<void> }> {
  const listener = await listenerOf(app);
  const own = listener instanceof Function ? createServer(listener) : listener;

  if (!own.listening) {
    await new Promise<void>(resolve => own.listen(0, '127.0.0.1', resolve));
  }

  const { port } = own.address() as AddressInfo;

  return {
    send: each => send(port, each),
    close: () =>
      new Promise<void>(resolve => {
        own.close(() => resolve());
        own.closeAllConnections();
      }),
  };
}

async function listenerOf(app: ServedApp): Promise<RequestListener | Server> {
  if ('callback' in app && typeof app.callback === 'function') {
    return app.callback() as RequestListener;
  }

  // Fastify's routes are there once it is ready
  if ('ready' in app && typeof app.ready === 'function' && 'server' in app) {
    await (app as { ready(): PromiseLike<unknown> }).ready();

    return (app as { server: Server }).server;
  }

  return app as RequestListener | Server;
}

function send(port: number, { method, path, headers, body }: LeakRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port,
        host: '127.0.0.1',
        method,
        path,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
        agent: false,
      },
      response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A Koa, a Fastify, a server of Node.js, or its listener, as an Express and Nest's `getHttpServer()` are. Hono's `getRequestListener(app.fetch)` gives one. */
export type ServedApp = RequestListener | Server | { callback(): unknown } | { ready(): PromiseLike<unknown>; readonly server: unknown };
