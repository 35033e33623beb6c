/** @ts-ignore Koa is optional */
import type { Context, Middleware, Next } from 'koa';
import { RoutingError } from '../../errors/index.js';
import { innermostScope } from '../../scope/scope.js';
import { keepScope } from './keep-scope.js';

/**
 * A Koa middleware, or a router with `routes()`, such as @koa/router. To answer with 405 and 501 too, combine the router with its
 * `allowedMethods()` by koa-compose: `compose([router.routes(), router.allowedMethods()])`.
 */
export type RouterLike = Middleware<any, any> | { routes(): Middleware<any, any> };

export interface SchemaRouterOptions {
  /** Serves the public scope: the public hosts, and the host of a public tenant. */
  readonly public: RouterLike;
  /** Serves the tenants' hosts. */
  readonly tenant: RouterLike;
}

/**
 * Sends each request to the router of its scope. Both routers may have the same paths. Use it after `tenantContext()`.
 *
 * @throws RoutingError `NOT_A_ROUTER` immediately; `NO_TENANT_CONTEXT` for a request outside any scope.
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
      // `tenantContext()` does this only for scopes that it entered itself
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
