import { once } from 'node:events';
import { request, type Agent, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

export interface HttpRequest {
  readonly port: number;
  /** The `Host` header without the port. `headers` can override it. */
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** Closes the connection. */
  readonly signal?: AbortSignal;
  /** Keeps connections for later requests. @default one connection per request */
  readonly agent?: Agent;
}

/** An answer, read to its end. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * Sends a request to this machine with any `Host` header, which `fetch` does not allow. Resolves to the response as soon as it begins. Destroying
 * it closes the connection.
 */
export function open({ port, host, headers = {}, body, ...options }: HttpRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port,
        agent: false,
        ...options,
        headers: { host: `${host}:${port}`, ...headers },
        // a spec may send headers that Node's client would refuse
        setHost: false,
      },
      resolve,
    )
      .on('error', reject)
      .end(body);
  });
}

/** The same, with the whole response. */
export async function send(sent: HttpRequest): Promise<HttpResponse> {
  const answer = await open(sent);

  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) };
}

/** Sends a form as a browser does, from a page of the same host. */
export async function submit(target: HttpRequest, fields: Readonly<Record<string, string>>): Promise<HttpResponse> {
  return send({
    method: 'POST',
    ...target,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': 'same-origin',
      origin: `http://${target.host}:${target.port}`,
      ...target.headers,
    },
    body: new URLSearchParams(fields).toString(),
  });
}

/**
 * Sends raw bytes, and resolves to all received bytes once the server closes the connection. With `end`, the sending side is closed, so that the
 * server does not wait for the rest of a request. Requests that are not answered by then stay unanswered.
 */
export async function sendBytes(port: number, bytes: string, { end = false }: { readonly end?: boolean } = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  // a reset also counts as an answer, and `close` follows it
  socket.on('error', () => undefined);
  socket[end ? 'end' : 'write'](bytes, 'latin1');
  await once(socket, 'close');

  return Buffer.concat(chunks).toString('latin1');
}

/** The status of a response from `sendBytes`. NaN if it is not a response. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1]);

/** The body of a response from `sendBytes`. */
export const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);
