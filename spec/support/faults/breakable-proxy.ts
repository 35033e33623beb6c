import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A proxy between an ORM and its server that fails like a network. The caller must close it. */
export interface BreakableProxy {
  /** The URL of the database through the proxy. */
  readonly url: string;
  /** Acts like a stopped server: every connection is reset, and new ones are refused. */
  cut(): Promise<void>;
  /** Acts like a pulled cable: no data passes, and no end is notified. */
  freeze(): void;
  /** Passes data again. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function proxyTo(databaseUrl: string): Promise<BreakableProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  let isFrozen = false;

  const listen = async (): Promise<void> => {
    server = createServer(near => {
      const far = connect(Number(target.port), target.hostname);
      near.pipe(far);
      far.pipe(near);

      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });

        if (isFrozen) {
          socket.unpipe();
          socket.pause();
        }
      }
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  };
  const cut = async (): Promise<void> => {
    const closing = server;
    server = undefined;

    if (closing !== undefined) {
      const closed = once(closing, 'close');
      closing.close();
      sockets.forEach(socket => socket.resetAndDestroy());
      await closed;
    }
  };
  await listen();
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${port}`;

  return {
    url: url.href,
    cut,
    freeze: () => {
      isFrozen = true;
      sockets.forEach(socket => socket.unpipe().pause());
    },
    // the data that was held back is lost, as on a network that recovered too late
    mend: async () => {
      isFrozen = false;
      await cut();
      await listen();
    },
    close: cut,
  };
}
