import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { onTenantEnd } from '../../api/while-served.js';
import { leaveScope } from '../../orm/mikro-context.js';
import { answerOf } from '../core/answer.js';
import type { TrustProxyOption } from '../core/forwarded-host.js';
import { exposeTenant } from '../core/found-tenant.js';
import type { Identification } from '../core/identification.js';
import { identify, type IdentifyOptions } from '../core/identify.js';
import { runAs } from '../core/run-as.js';
import { requestOf } from './tenant-context.js';

export interface TenantUpgradeOptions extends Omit<IdentifyOptions<IncomingMessage>, 'notFound'>, TrustProxyOption<IncomingMessage> {
  /**
   * Whether a socket is closed when its tenant is suspended, put into maintenance, renamed or deleted: within a second, with the code 1008. A client
   * then connects again, and gets what a request gets. With `false`, work in its scope fails after a rename or a deletion, and goes on otherwise.
   *
   * @default true
   */
  readonly closeUnserved?: boolean;
}

/** A `WebSocketServer` of `ws` that was made with `noServer: true`. */
export interface UpgradingServer<Socket extends Emitter> {
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer, done: (client: Socket, req: IncomingMessage) => void): void;
  emit(event: 'connection', client: Socket, req: IncomingMessage): unknown;
}

/**
 * A listener for the event `upgrade` of an HTTP server: it opens web sockets of known tenants and public hosts, and refuses all others with the
 * status that a request would get. The event `connection` of the `WebSocketServer`, and every event of a socket, run in the tenant's scope, each
 * in a new one: a socket lives long, and an EntityManager should not. If the tenant is renamed or dropped meanwhile, work in its scope fails with
 * `TENANT_CHANGED`, and the socket is closed, as it is if the tenant is suspended.
 */
export function tenantUpgrade<Socket extends Emitter>(
  server: UpgradingServer<Socket>,
  options: TenantUpgradeOptions = {},
): (req: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const upgrade = async (req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const end = (): void => void socket.destroy();
    // without a listener, a visitor that hangs up would end the process
    socket.on('error', end);

    try {
      const identified = identify(requestOf(req, options), options, req);
      const found = identified instanceof Promise ? await identified : identified;

      if (found.kind === 'tenant') {
        exposeTenant(req, found);
      }

      runAs(found, () =>
        server.handleUpgrade(req, socket, head, client => {
          socket.off('error', end);
          runInScopeOf(client, found);

          if (found.kind === 'tenant' && options.closeUnserved !== false) {
            closeWithTenant(client);
          }

          server.emit('connection', client, req);
        }),
      );
    } catch (error) {
      leaveScope(() => refuse(socket, error));
    }
  };
  return (req, socket, head) => void upgrade(req, socket, head);
}

/** Runs the listeners of every event in a scope of its own. They would run in the scope of the connection, which is none. */
function runInScopeOf(client: Emitter, found: Identification): void {
  const emit = client.emit.bind(client);

  client.emit = (...args) => runAs(found, () => emit(...args));
}

/** Closes a socket when the tenant of this scope is not served any more. One that does not answer is destroyed by `ws` after a while. */
function closeWithTenant(client: Emitter): void {
  const stop = onTenantEnd(() => client.close?.(POLICY_VIOLATION, 'This tenant is not served any more.'));
  client.once?.('close', stop);
}

function refuse(socket: Duplex, error: unknown): void {
  const { status, headers, message, isFault } = answerOf(error);

  if (isFault) {
    console.error(error);
  }

  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(message),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);

  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${message}`);
}

/** Of the protocol of web sockets. */
const POLICY_VIOLATION = 1008;

interface Emitter {
  emit(event: any, ...args: any[]): boolean;
  once?(event: 'close', listener: () => void): unknown;
  close?(code: number, reason: string): void;
}
