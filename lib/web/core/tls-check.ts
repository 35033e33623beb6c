import type { IncomingMessage, ServerResponse } from 'node:http';
import { withoutPort } from '../../tenant/hostname.js';
import { answerOf } from './answer.js';
import { identify, type IdentifyOptions } from './identify.js';

/** How requests are identified, as `tenantContext()` does it. */
export type TlsCheckOptions = Pick<IdentifyOptions, 'orm' | 'resolvers'>;

/**
 * Whether requests to this host are served: it is the host of a tenant, or a public one. A known host takes no query, and unknown ones share
 * queries, so a flood of made-up names costs little.
 *
 * @throws DirectoryUnavailableError `DIRECTORY_UNAVAILABLE` if it is not known and the database cannot be reached.
 */
export async function isHostServed(host: string, options: TlsCheckOptions = {}): Promise<boolean> {
  const { orm, resolvers } = options;

  // a port is no part of a name that a certificate is for
  if (host === '' || withoutPort(host) !== host) {
    return false;
  }

  const found = await identify(
    { headers: { host }, url: '/' },
    { ...(orm && { orm }), ...(resolvers && { resolvers }), maintenance: IN_MAINTENANCE_TOO },
  );

  if (found.kind === 'unavailable') {
    throw found.error;
  }

  return found.kind === 'tenant' || found.kind === 'public';
}

/**
 * A handler for proxies that order a certificate when a host is first visited, such as Caddy's `on_demand_tls.ask`. They ask with `?domain=`. It
 * answers 200 for hosts that are served, and 404 for all others, so that nobody makes the proxy order certificates for names of his own choice.
 * While the database is away, hosts that are not known get 503.
 *
 * It is a handler of `node:http`, of Express and, with `ctx.req` and `ctx.res`, of others. Put it before `tenantContext()`, on a port or a path
 * that only the proxy reaches.
 */
export function tlsCheck(options: TlsCheckOptions = {}): (req: IncomingMessage, res: ServerResponse) => void {
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    try {
      const domains = new URL(req.url ?? '/', 'http://localhost').searchParams.getAll('domain');
      const isServed = domains.length === 1 && (await isHostServed(domains[0] as string, options));
      end(res, isServed ? 200 : 404);
    } catch (error) {
      const { status, headers, isFault } = answerOf(error);

      if (isFault) {
        console.error(error);
      }

      end(res, status, headers);
    }
  };
  return (req, res) => void answer(req, res);
}

// visitors are told of the maintenance over a connection that needs the certificate
const IN_MAINTENANCE_TOO = { bypass: () => true };

function end(res: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers }).end();
}
