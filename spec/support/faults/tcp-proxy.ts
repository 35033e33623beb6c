import { connect, createServer, type Socket } from 'node:net';
import { listenInFrontOf } from './listen.ts';

/** What the proxy does with a message to the server. */
export type MessageFate = 'pass' | 'cut before' | 'cut after';

/** A proxy between a client and a server, controlled by a spec. The caller must close it. */
export interface TcpProxy {
  /** The URL, through the proxy. */
  readonly url: string;
  /** Called for each message to the server, in order. */
  decide: (() => MessageFate | Promise<MessageFate>) | undefined;
  /** Stops passing data in both directions, and closes no connection. */
  stall(): void;
  /** Passes the data that it held back, and all new data. */
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
    // one after the other, in order
    let sent: Promise<unknown> = Promise.resolve();
    pairs.add(pair);

    for (const socket of pair) {
      // an error at one end closes the other end
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
    // the last data of the server must arrive before its socket ends
    upstream.on('end', () => client.end());
  });
  const url = await listenInFrontOf(serverUrl, server);

  const proxy: TcpProxy = {
    url,
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
