import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { leaveScope } from '../../orm/mikro-context.js';
import { keepFlow, type AsyncFlow } from '../../scope/async-flow.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import type { Identification, IdentifiedAsTenant } from '../core/identification.js';
import { identify, type IdentifyOptions } from '../core/identify.js';
import { keepScopeOfBody } from '../core/keep-scope.js';
import { runAs } from '../core/run-as.js';
import { keepScopeOfReplies } from './keep-scope.js';
import { hostSeenBy, requestOf } from './web-request.js';

export interface TenantContextOptions extends Omit<IdentifyOptions<FastifyRequest>, 'notFound'> {
  /**
   * What happens if no tenant is found. `'error'` fails with `notFoundStatus`. `'public'` serves the public routes. A function handles the
   * request like a hook, outside any scope: it replies, or calls `next`. It can choose the scope: `runInPublic(() => next())` or
   * `runInTenant('acme', () => next())`.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void) => unknown);
}

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The tenant of the request. Undefined in the public scope. `currentTenant<Client>()` returns the same entity, typed as your class. No
     * EntityManager of the request manages it, so changes to it are not stored. To change the tenant, load it.
     */
    readonly tenant: TenantMixin<unknown> | undefined;
  }
}

/**
 * A plugin: `await app.register(tenantContext)`, before the routes. Each request is then served in the scope of its tenant, or in the public
 * scope on a public host. The scope begins with the hook `onRequest`, so hooks of plugins that are registered after this one are in it too.
 * `X-Forwarded-Host` counts only with Fastify's `trustProxy`, and its last value, as in `request.host`. A streamed reply keeps the scope until it
 * ends.
 *
 * Where nothing is served, the request fails with `InvalidHostError` (400), `UnknownHostError` or `TenantNotServedError` (404, or
 * `notFoundStatus`), or `DirectoryUnavailableError` (503, with `Retry-After`). Your error handler gets them.
 *
 * A route chooses its scope by the constraint `scope`: see `schemaRouter`.
 */
export const tenantContext: FastifyPluginCallback<TenantContextOptions> = Object.assign(
  (app: FastifyInstance, options: TenantContextOptions, done: (error?: Error) => void): void => {
    const seen = hostSeenBy(app);
    app.decorateRequest(FOUND, undefined as never);
    app.decorateRequest(FLOW, undefined as never);
    app.decorateRequest('tenant', {
      getter(this: FastifyRequest) {
        return (this as Marked)[FOUND]?.tenant;
      },
    });

    app.addConstraintStrategy({
      name: 'scope',
      storage: () => {
        const handlers = new Map<unknown, any>();

        return { get: value => handlers.get(value) ?? null, set: (value, handler) => void handlers.set(value, handler) };
      },
      validate: value => void value,
      // the router asks before any hook runs, and only where a route has the constraint
      deriveConstraint: ((raw: Identifiable, _context: unknown, tell: (error: null, kind: string) => void) => {
        const request = seen(raw);
        const keep = (found: Identified): void => {
          raw[IDENTIFIED] = found;
          tell(null, 'found' in found ? found.found.kind : 'error');
        };
        // who may is not known yet: nobody has authenticated
        const { authorize: _, ...others } = options;
        attempt(request, others, keep);
      }) as never,
    });

    app.addHook('onRequest', (request, reply, next) => {
      const { raw } = request as { readonly raw: Identifiable };
      const go = (found: Identified): void => enter(found, options, [request, reply, next]);
      const known = options.authorize === undefined ? raw[IDENTIFIED] : undefined;

      if (known === undefined) {
        attempt(request, options, go);
      } else {
        go(known);
      }
    });

    keepScopeOfReplies(app, request => (request as Marked)[FLOW]);
    done();
  },
  // as a plugin that is not encapsulated, and its name
  { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: '@landlord/mikro-orm/fastify' },
);

function attempt(request: FastifyRequest, options: TenantContextOptions, then: (found: Identified) => void): void {
  try {
    const found = identify(requestOf(request), options, request);

    if (found instanceof Promise) {
      found.then(
        each => then({ found: each }),
        (error: unknown) => then({ error }),
      );
    } else {
      then({ found });
    }
  } catch (error) {
    then({ error });
  }
}

function enter(identified: Identified, { notFound }: TenantContextOptions, [request, reply, next]: Handled): void {
  if ('error' in identified) {
    next(identified.error as Error);
    return;
  }

  const { found } = identified;
  const marked = request as Marked;
  const goOn = (error?: Error): void => {
    // that of the scope which the flow is in now
    marked[FLOW] = keepFlow();
    keepScopeOfBody(request.raw);
    next(error);
  };

  if (found.kind === 'tenant') {
    marked[FOUND] = found;
  }

  if (found.kind === 'tenant' || found.kind === 'public') {
    runAs(found, goOn);
  } else if (found.kind === 'unknown' && typeof notFound === 'function') {
    const fail = (error: Error): void => next(error);
    leaveScope(async () => notFound(request, reply, goOn)).catch(fail);
  } else if (found.kind === 'redirected') {
    // Fastify answers an error with this status by 500
    reply.code(found.error.status).headers(found.error.headers).type('text/plain; charset=utf-8').send(found.error.message);
  } else {
    next(found.error);
  }
}

const FOUND = Symbol('landlord.found');

const FLOW = Symbol('landlord.flow');

const IDENTIFIED = Symbol('landlord.identified');

type Identified = { readonly found: Identification } | { readonly error: unknown };

type Identifiable = FastifyRequest['raw'] & { [IDENTIFIED]?: Identified };

type Marked = FastifyRequest & {
  [FOUND]?: IdentifiedAsTenant;
  [FLOW]?: AsyncFlow;
};

type Handled = readonly [request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void];
