import { withoutMount } from '../core/mount.js';
import { PathPattern } from '../core/path-pattern.js';

/**
 * A function for Fastify's option `rewriteUrl`, which takes the part off the path that names the tenant, before Fastify chooses the route:
 * `fastify({ rewriteUrl: withoutTenantPath('/t/:tenant') })`. With the resolver `byPath('/t/:tenant')`, the routes then have no prefix.
 * `request.originalUrl` is what was sent. A path that does not begin like this stays as it is.
 *
 * In Nest, give it to the adapter: `new FastifyAdapter({ rewriteUrl: withoutTenantPath('/t/:tenant') })`.
 *
 * @throws ResolverError `RESOLVER_INVALID` if the pattern has not exactly one `:name`.
 */
export function withoutTenantPath(pattern: string): (request: RawRequest) => string {
  const prefix = new PathPattern(pattern);

  return request => {
    const { url = '/' } = request;
    const found = prefix.matchTarget(url);

    if (found === undefined) {
      return url;
    }

    sentUrls.set(request, url);

    return withoutMount(url, found.mountPath);
  };
}

/** The target of a request with the part that was taken off. Undefined if nothing was. */
export function sentUrlOf(request: RawRequest): string | undefined {
  return sentUrls.get(request);
}

const sentUrls = new WeakMap<RawRequest, string>();

/** A request of Node. */
interface RawRequest {
  readonly url?: string | undefined;
}
