import type { IncomingMessage } from 'node:http';
import type { Context, MiddlewareHandler, Next } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { RoutingError, type HttpTenantError } from '../../errors/index.js';
import { leaveScope } from '../../orm/mikro-context.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { forwardedHostOf, type TrustProxyOption } from '../core/forwarded-host.js';
import { identify, type IdentifyOptions } from '../core/identify.js';
import { runAs } from '../core/run-as.js';
import type { WebRequest } from '../core/web-request.js';
import { keepScope } from './keep-scope.js';
import { exposeTenantVariable } from './tenant-variable.js';

export interface TenantContextOptions extends Omit<IdentifyOptions<Context>, 'notFound'>, TrustProxyOption<Context> {
  /**
   * What happens if no tenant is found. `'error'` throws an `HTTPException` with `notFoundStatus`. `'public'` serves the public routes. A
   * function handles the request like a middleware, outside any scope. It can choose the scope: `runInPublic(() => next())` or
   * `runInTenant('acme', () => next())`. After a plain `next()` there is no scope, and `schemaRouter()` throws.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((c: Context, next: Next) => Response | void | Promise<Response | void>);
}

declare module 'hono' {
  interface ContextVariableMap {
    /**
     * The tenant of the request. Undefined in the public scope. `currentTenant<Client>()` returns the same entity, typed as your class. No
     * EntityManager of the request manages it, so changes to it are not stored. To change the tenant, load it.
     */
    tenant: TenantMixin<unknown> | undefined;
  }
}

/**
 * Runs the rest of the request in the scope of its tenant, or in the public scope on a public host. For Hono on Node, with `@hono/node-server`.
 * Hono has no setting for a proxy in front, so `X-Forwarded-Host` counts only with the option `trustProxy`. A streamed response keeps the scope
 * until it ends.
 *
 * Where nothing is served, it throws an `HTTPException` with the status and the headers of the answer. Its `cause` is the error with its `code`:
 * `InvalidHostError` (400), `UnknownHostError` or `TenantNotServedError` (404, or `notFoundStatus`), `DirectoryUnavailableError` (503).
 *
 * An error of this library that a route throws, and that is meant for the visitor, such as a `TenantOverloadedError` (503), has the `getResponse()` which Hono
 * answers with. An error handler of your own calls it too.
 */
export function tenantContext(options: TenantContextOptions = {}): MiddlewareHandler {
  // as a middleware it would answer no request
  if (typeof arguments[1] === 'function') {
    throw RoutingError.notCalled('app.use()');
  }

  const { notFound } = options;

  return async (c, next) => {
    const identified = identify(requestOf(c, options), options, c);
    const found = identified instanceof Promise ? await identified : identified;

    if (found.kind === 'unknown' && typeof notFound === 'function') {
      return leaveScope(() => notFound(c, next));
    }

    if (found.kind !== 'tenant' && found.kind !== 'public') {
      throw toException(found.error);
    }

    if (found.kind === 'tenant') {
      exposeTenantVariable(c, found);
    }

    return runAs(found, async () => {
      await next();
      keepScope(c);
    });
  };
}

function requestOf(c: Context, options: TenantContextOptions): WebRequest {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: IncomingMessage };

  // without the request of Node, what it has sent cannot be told from what was made of it
  if (incoming === undefined) {
    const headers = Object.fromEntries(c.req.raw.headers);
    const { host, pathname, search } = new URL(c.req.url);
    const given = { ...headers, host: headers['host'] ?? host };

    return { headers: given, url: pathname + search, forwardedHost: forwardedHostOf({ headers }, options, c) };
  }

  const { headers, rawHeaders, httpVersionMajor, url } = incoming;

  return { headers, rawHeaders, httpVersionMajor, url, forwardedHost: forwardedHostOf(incoming, options, c) };
}

function toException(error: HttpTenantError): HTTPException {
  return new HTTPException(error.status as HTTPException['status'], { message: error.message, cause: error, res: error.getResponse() });
}
