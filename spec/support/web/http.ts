import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

export interface HttpRequest {
  readonly port: number;
  /** The `Host` header, without the port. */
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Serves on a free port of this machine. Closing hangs up on everybody, and then waits for the work on what they asked for. */
export async function serve(
  listener: (...args: Parameters<RequestListener>) => unknown,
): Promise<{ readonly port: number; close(): Promise<void> }> {
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

/** One request on a connection of its own, to whichever host of this machine; `fetch` lets nobody set that. */
export async function send({ port, host, path = '/', method = 'GET', headers = {}, body }: HttpRequest): Promise<HttpResponse> {
  const req = request({
    host: '127.0.0.1',
    port,
    path,
    method,
    headers: { host: `${host}:${port}`, ...headers },
    agent: false,
    // what is sent on purpose may be what a client of Node's would refuse to send
    setHost: false,
  });
  req.end(body);
  const [res] = await once(req, 'response');
  const chunks: Buffer[] = [];

  for await (const chunk of res) {
    chunks.push(chunk as Buffer);
  }

  return { status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString() };
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

/** Sends bytes as they are and resolves to the status of the answer; undefined where the connection was closed without one. */
export async function sendBytes(port: number, bytes: string): Promise<number | undefined> {
  const socket = connect({ host: '127.0.0.1', port });
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  // a reset is an answer too
  socket.on('error', () => undefined);
  socket.end(Buffer.from(bytes, 'latin1'));
  await once(socket, 'close');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(Buffer.concat(chunks).toString('latin1'))?.[1];

  return status === undefined ? undefined : Number(status);
}
