import type { ExecutionContext } from '@nestjs/common';
import type { IdentifyOptions } from '../core/identify.js';
import type { NamedTenant } from '../core/resolvers.js';

export interface TenantsModuleOptions extends Omit<IdentifyOptions<any>, 'notFound'> {
  /**
   * What happens if no tenant is found. `'error'` throws an `HttpException` with `notFoundStatus`. `'public'` serves the public routes. A
   * function handles the request like a middleware, outside any scope. It can choose the scope: `runInPublic(() => next())`.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((req: any, res: any, next: (error?: unknown) => void) => unknown);

  /**
   * Names the tenant of a message of a microservice, or of a gateway whose client has no request: a schema name, or a tenant by another
   * unique property. Undefined refuses the message. Whoever can send messages chooses the tenant, so read it from what only your own services
   * can send.
   *
   * @default every message without a request is refused
   */
  readonly message?: (context: ExecutionContext) => Message | Promise<Message>;

  /**
   * The beginning of the path that names the tenant, as for `byPath()`. It is taken off before Nest chooses the route, so the routes have no prefix;
   * `req.originalUrl` is what was sent. It is for the Express adapter. The Fastify adapter has an option of its own for it:
   * `new FastifyAdapter({ rewriteUrl: withoutTenantPath('/t/:tenant') })`, with the function of `@landlord/mikro-orm/fastify`.
   *
   * @default the path stays as it is
   */
  readonly stripPath?: string;

  /** Whether requests of HTTP get their scope by a middleware of the module. @default true */
  readonly middleware?: boolean;
}

/** The token of the options. */
export const TENANTS_MODULE_OPTIONS = Symbol('TENANTS_MODULE_OPTIONS');

type Message = string | NamedTenant | 'public' | undefined;
