import type { RequestHandler } from 'express';
import { RoutingError } from '../../errors/index.js';
import { innermostScope } from '../../scope/scope.js';

export interface SchemaRouterOptions {
  /** Serves the public scope: the public hosts, and the host of a public tenant. A router or a handler. */
  readonly public: RequestHandler;
  /** Serves the tenants. A router or a handler. */
  readonly tenant: RequestHandler;
}

/**
 * Sends each request to the router of its scope. Both routers may have the same paths. Use it after `tenantContext()`.
 *
 * @throws RoutingError `NOT_A_ROUTER` immediately. A request outside any scope gets a `NO_TENANT_CONTEXT`.
 */
export function schemaRouter(options: SchemaRouterOptions): RequestHandler {
  const routers = { public: checked('public', options.public), tenant: checked('tenant', options.tenant) };

  return (req, res, next) => {
    const scope = innermostScope();

    if (scope === undefined) {
      next(RoutingError.noContext('app.use(tenantContext())'));
      return undefined;
    }

    return routers[scope.kind](req, res, next);
  };
}

function checked(name: string, router: RequestHandler | undefined): RequestHandler {
  if (typeof router !== 'function') {
    throw RoutingError.notARouter(name, router, 'an Express router or a handler');
  }

  return router;
}
