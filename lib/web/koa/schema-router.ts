import type { Context, Middleware, Next } from 'koa';
import { RoutingError } from '../../errors/index.js';
import { innermostScope } from '../../scope/scope.js';
import { keepScope } from './keep-scope.js';

/**
 * A Koa middleware, or a router that makes one; @koa/router's do. To have the router answer 405 and 501 too, compose it with its
 * `allowedMethods()`: `compose([router.routes(), router.allowedMethods()])`, with koa-compose.
 */
export type RouterLike = Middleware<any, any> | { routes(): Middleware<any, any> };

export interface SchemaRouterOptions {
  /** Serves the public scope: the public hosts, and a public tenant's. */
  readonly public: RouterLike;
  /** Serves the tenants' hosts. */
  readonly tenant: RouterLike;
}

/**
 * Two routers, of which each request gets the one of its scope: both may hold the same paths. Goes behind `tenantContext()`.
 *
 * @throws RoutingError `NOT_A_ROUTER` at once; `NO_TENANT_CONTEXT` on a request outside any scope.
 */
export function schemaRouter(options: SchemaRouterOptions): Middleware {
  const routers = { public: toMiddleware('public', options.public), tenant: toMiddleware('tenant', options.tenant) };

  return async (ctx: Context, next: Next) => {
    const scope = innermostScope();

    if (scope === undefined) {
      throw RoutingError.noContext();
    }

    try {
      await routers[scope.kind](ctx, next);
    } finally {
      // the scope need not be one that `tenantContext()` entered
      keepScope(ctx);
    }
  };
}

function toMiddleware(name: string, router: RouterLike | undefined): Middleware<any, any> {
  if (typeof router === 'function') {
    return router;
  }

  if (typeof router?.routes === 'function') {
    return router.routes();
  }

  throw RoutingError.notARouter(name, router);
}
