import { Hono } from 'hono';
import { PathPattern } from '../core/path-pattern.js';

/**
 * A function for Hono's option `getPath`, which takes the part off the path that names the tenant, before Hono chooses the route:
 * `new Hono({ getPath: withoutTenantPath('/t/:tenant') })`. With the resolver `byPath('/t/:tenant')`, the routes then have no prefix. `c.req.path` is
 * the path that is left, and `c.req.url` is what was sent. A path that does not begin like this stays as it is.
 *
 * @throws ResolverError `RESOLVER_INVALID` if the pattern has not exactly one `:name`.
 */
export function withoutTenantPath(pattern: string): (request: Request) => string {
  const prefix = new PathPattern(pattern);
  const { getPath } = new Hono();

  return request => {
    const path = getPath(request);

    // Hono decodes a path, except for what would be another slash
    return prefix.matchTarget(request.url) === undefined
      ? path
      : `/${path
          .split('/')
          .slice(prefix.length + 1)
          .join('/')}`;
  };
}
