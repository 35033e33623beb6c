import { Hono, type MiddlewareHandler } from 'hono';
import { RoutingError } from '../../errors/index.js';
import { innermostScope, type Scope } from '../../scope/scope.js';

export interface SchemaRouterOptions {
  /** Serves the public scope: the public hosts, and the host of a public tenant. */
  readonly public: Hono<any, any, any>;
  /** Serves the tenants. */
  readonly tenant: Hono<any, any, any>;
}

/**
 * An application that has the routes of both, each for its scope: `app.route('/', schemaRouter({ public, tenant }))`. Both may have the same
 * paths. Use it after `tenantContext()`. As with `app.route()`, the routes have to be there before.
 *
 * @throws RoutingError `NOT_A_ROUTER` immediately; `NO_TENANT_CONTEXT` for a request outside any scope.
 */
export function schemaRouter(options: SchemaRouterOptions): Hono {
  const router = new Hono();

  for (const kind of ['public', 'tenant'] as const) {
    // as a part of another one, an application keeps its own handler of errors
    for (const { method, path, handler } of new Hono().route('/', checked(kind, options[kind])).routes) {
      router.on(method, path, onlyIn(kind, handler as MiddlewareHandler));
    }
  }

  return router;
}

function onlyIn(kind: Scope['kind'], handler: MiddlewareHandler): MiddlewareHandler {
  return async (c, next) => {
    const scope = innermostScope();

    if (scope === undefined) {
      throw RoutingError.noContext('app.use(tenantContext())');
    }

    return scope.kind === kind ? handler(c, next) : next();
  };
}

function checked(name: string, router: Hono<any, any, any> | undefined): Hono<any, any, any> {
  if (!Array.isArray((router as { readonly routes?: unknown } | undefined)?.routes)) {
    throw RoutingError.notARouter(name, router, 'a Hono application');
  }

  return router as Hono<any, any, any>;
}
