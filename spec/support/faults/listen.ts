import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/** Has a proxy listen on a free port, and says under which URL it is the server of that one. */
export async function listenInFrontOf(serverUrl: string, proxy: Server): Promise<string> {
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = new URL(serverUrl);
  url.hostname = '127.0.0.1';
  url.port = String((proxy.address() as AddressInfo).port);

  return url.href;
}
