import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { EdgeServer } from './edge-app.ts';

/** Serves a listener by HTTP/1 or HTTP/2. */
export async function listenWith(listener: RequestListener, http2 = false): Promise<EdgeServer> {
  return listening(http2 ? createHttp2Server(listener as never) : createServer(listener));
}

/** Starts a server on a free port. Closing it ends its connections. */
async function listening(server: Server): Promise<EdgeServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise(resolve => server.close(resolve));
      sockets.forEach(socket => socket.destroy());
      await closed;
    },
  };
}
