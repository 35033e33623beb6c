import { once } from 'node:events';
import { request, type Agent, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

export interface HttpRequest {
  readonly port: number;
  /** The `Host` header, without the port. One among the headers goes before it. */
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** Hangs up. */
  readonly signal?: AbortSignal;
  /** Keeps connections for the next request. @default one connection for each request */
  readonly agent?: Agent;
}

/** An answer, read to its end. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * One request to whichever host of this machine; `fetch` lets nobody set that. Resolves to the answer as soon as it begins; destroying it hangs
 * up.
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
        // what is sent on purpose may be what a client of Node's would refuse to send
        setHost: false,
      },
      resolve,
    )
      .on('error', reject)
      .end(body);
  });
}

/** The same, with the whole answer. */
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
 * Sends bytes as they are, and gives those that come back until the server hangs up. With `end` it is told that no more will come, which it
 * would wait for after half a request; whatever is still to be answered is not.
 */
export async function sendBytes(port: number, bytes: string, { end = false }: { readonly end?: boolean } = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  // a reset is an answer too, and the close comes after it
  socket.on('error', () => undefined);
  socket[end ? 'end' : 'write'](bytes, 'latin1');
  await once(socket, 'close');

  return Buffer.concat(chunks).toString('latin1');
}

/** The status of what `sendBytes` gave; NaN where it is no answer. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1]);

/** The body of what `sendBytes` gave. */
export const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);
