import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { RoutingError } from '../../errors/index.js';

export interface SchemaRouterOptions {
  /** A plugin with the routes of the public scope: of the public hosts, and of the host of a public tenant. */
  readonly public: FastifyPluginAsync;
  /** A plugin with the routes of the tenants. */
  readonly tenant: FastifyPluginAsync;
}

/**
 * A plugin that gives each of two plugins' routes to its scope: `await app.register(schemaRouter, { public, tenant })`. Both may have the same
 * paths. Register it after `tenantContext`. It sets the constraint `scope` of each route, which a single route can set too:
 * `app.get('/books', { constraints: { scope: 'tenant' } }, handler)`.
 *
 * @throws RoutingError `NOT_A_ROUTER` if one of them is no plugin; `NO_TENANT_CONTEXT` if `tenantContext` is not registered.
 */
export const schemaRouter: FastifyPluginAsync<SchemaRouterOptions> = async (app, options) => {
  if (!app.hasConstraintStrategy('scope')) {
    throw RoutingError.noContext('await app.register(tenantContext)');
  }

  for (const kind of ['public', 'tenant'] as const) {
    const plugin = options[kind] as FastifyPluginAsync | undefined;

    if (typeof plugin !== 'function') {
      throw RoutingError.notARouter(kind, plugin, 'a plugin of Fastify');
    }

    await app.register(async (scoped: FastifyInstance) => {
      scoped.addHook('onRoute', route => {
        route.constraints = { ...route.constraints, scope: kind };
      });
      await scoped.register(plugin);
    });
  }
};
