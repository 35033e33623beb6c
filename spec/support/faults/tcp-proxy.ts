import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What becomes of a message to the server. */
export type MessageFate = 'pass' | 'cut before' | 'cut after';

/** A network between a client and the server of a URL, of which a spec says what it does. Whoever opens it closes it. */
export interface TcpProxy {
  /** The URL, through the proxy. */
  readonly url: string;
  /** Is asked of each message to the server, in their order. */
  decide: (() => MessageFate | Promise<MessageFate>) | undefined;
  /** Lets nothing through any more, in either direction, and closes nothing. */
  stall(): void;
  /** Lets through what it held back, and everything from now on. */
  resume(): void;
  close(): Promise<void>;
}

export async function openTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const target = new URL(serverUrl);
  const pairs = new Set<readonly [Socket, Socket]>();
  let stalled = false;

  const server = createServer(client => {
    const upstream = connect(Number(target.port), target.hostname);
    const pair = [client, upstream] as const;
    const cut = (): void => pair.forEach(socket => void socket.destroy());
    let cutAtAnswer = false;
    // one after the other, as they came
    let sent: Promise<unknown> = Promise.resolve();
    pairs.add(pair);

    for (const socket of pair) {
      // what breaks one end ends the other
      socket.on('error', cut);
      socket.on('close', () => {
        pairs.delete(pair);
        cut();
      });

      if (stalled) {
        socket.pause();
      }
    }

    client.on('data', chunk => {
      sent = sent.then(async () => {
        const fate = (await proxy.decide?.()) ?? 'pass';

        if (fate === 'cut before') {
          cut();
        } else {
          cutAtAnswer ||= fate === 'cut after';
          upstream.write(chunk);
        }
      });
    });
    upstream.on('data', chunk => {
      if (cutAtAnswer) {
        cut();
      } else {
        client.write(chunk);
      }
    });
    // what the server says last comes before the end of its socket
    upstream.on('end', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(serverUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);

  const proxy: TcpProxy = {
    url: url.href,
    decide: undefined,
    stall: () => {
      stalled = true;
      [...pairs].flat().forEach(socket => socket.pause());
    },
    resume: () => {
      stalled = false;
      [...pairs].flat().forEach(socket => socket.resume());
    },
    close: async () => {
      [...pairs].flat().forEach(socket => socket.destroy());
      await new Promise(resolve => server.close(resolve));
    },
  };

  return proxy;
}
