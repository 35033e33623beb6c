import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import type Koa from 'koa';
import { serve as serveRequests } from './http.ts';

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  /** Hangs up. */
  readonly signal?: AbortSignal;
  /** Keeps connections for the next request. @default one connection for each request */
  readonly agent?: http.Agent;
}

/** A Koa application on 127.0.0.1, and a client that says which host it means. Whoever starts it closes it. */
export interface WebServer {
  /** What the application's `error` event was given. To be emptied with `.length = 0`. */
  readonly errors: unknown[];
  get(host: string, path?: string, options?: RequestOptions): Promise<Answer>;
  /** The answer as soon as it begins; destroying it hangs up. */
  open(host: string, path?: string, options?: RequestOptions): Promise<http.IncomingMessage>;
  /** Sends bytes as they are, and gives those that come back until the server hangs up. */
  raw(bytes: string): Promise<string>;
  close(): Promise<void>;
}

export async function serve(app: Koa): Promise<WebServer> {
  const errors: unknown[] = [];
  app.on('error', error => errors.push(error));
  const server = await serveRequests(app.callback());
  const { port } = server;

  const open: WebServer['open'] = (host, path = '/', { headers = {}, ...options } = {}) =>
    new Promise((resolve, reject) => {
      http
        .request({ host: '127.0.0.1', port, path, agent: false, ...options, headers: { ...headers, host } }, resolve)
        .on('error', reject)
        .end();
    });

  return {
    errors,
    open,
    get: async (...args) => {
      const answer = await open(...args);

      return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) };
    },
    raw: bytes =>
      new Promise((resolve, reject) => {
        const chunks: Buffer[] = [];
        net
          .connect(port, '127.0.0.1', function (this: net.Socket) {
            this.write(bytes, 'latin1');
          })
          .on('data', chunk => chunks.push(chunk))
          .on('error', reject)
          .on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
      }),
    close: () => server.close(),
  };
}

/** The status of what `raw` gave; NaN where it is no answer. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);

/** The body of what `raw` gave. */
export const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);
