import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RoutingError } from '../../errors/index.js';
import type { WebRequest } from '../core/web-request.js';
import { sentUrlOf } from './tenant-path.js';

/** What a request of Fastify says. `request.host` is the forwarded one only if Fastify trusts the proxy. */
export function requestOf(request: FastifyRequest): WebRequest {
  const { headers, httpVersionMajor, rawHeaders } = request.raw;
  const sent = sentUrlOf(request.raw);
  const url = sent ?? request.raw.url;
  const own = headers.host ?? headers[':authority'];
  const isForwarded = headers['x-forwarded-host'] !== undefined && request.host !== own;

  return {
    headers,
    rawHeaders,
    httpVersionMajor,
    url,
    originalUrl: sent ?? request.originalUrl ?? url,
    // an empty one names no host either, and must not be taken for none
    forwardedHost: isForwarded ? request.host || ',' : undefined,
  };
}

/**
 * Gives a request before Fastify makes one of its own: its router decides before. The class of Fastify's requests knows whom the server trusts. It
 * is under a symbol of the server, which Fastify does not document.
 *
 * @throws RoutingError `NOT_A_ROUTER` if this version of Fastify has no such class.
 */
export function hostSeenBy(app: FastifyInstance): (raw: FastifyRequest['raw']) => FastifyRequest {
  const classOf = (): { readonly prototype: FastifyRequest } => {
    let owner: object | null = app;

    // a registered plugin's server inherits from the one around it
    for (; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
      const symbol = Object.getOwnPropertySymbols(owner).find(each => each.description === 'fastify.Request');

      if (symbol !== undefined) {
        return (app as unknown as Record<symbol, { readonly prototype: FastifyRequest }>)[symbol] as { readonly prototype: FastifyRequest };
      }
    }

    throw RoutingError.unknownFastify();
  };

  classOf();

  return raw => Object.assign(Object.create(classOf().prototype) as FastifyRequest, { raw });
}
