import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { RoutingError } from '../../errors/index.js';
import { leaveScope } from '../../orm/mikro-context.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { exposeTenant } from '../core/found-tenant.js';
import type { Identification } from '../core/identification.js';
import { identify, type IdentifyOptions } from '../core/identify.js';
import { keepScopeOfBody, keepScopeOfPipes } from '../core/keep-scope.js';
import { runAs } from '../core/run-as.js';
import type { WebRequest } from '../core/web-request.js';
import { mount } from './mount.js';
import { isProxyTrusted } from './trusted-proxy.js';

export interface TenantContextOptions extends Omit<IdentifyOptions<Request>, 'notFound'> {
  /**
   * What happens if no tenant is found. `'error'` passes an error with `notFoundStatus` to `next`. `'public'` serves the public routes. A
   * function handles the request like a middleware, outside any scope. It can choose the scope: `runInPublic(() => next())` or
   * `runInTenant('acme', () => next())`. After a plain `next()` there is no scope, and `schemaRouter()` refuses.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((req: Request, res: Response, next: NextFunction) => unknown);
}

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- how Express is extended
  namespace Express {
    interface Request {
      /**
       * The tenant of the request. Undefined in the public scope. `currentTenant<Client>()` returns the same entity, typed as your class. No
       * EntityManager of the request manages it, so changes to it are not stored. To change the tenant, load it.
       */
      tenant?: TenantMixin<unknown>;
    }
  }
}

/**
 * Runs the rest of the request in the scope of its tenant, or in the public scope on a public host. For Express 4 and 5.
 * `X-Forwarded-Host` counts only with the setting `trust proxy`, and only its first value. A stream that is piped to the response keeps the
 * scope until it ends, and the events of a request with a body are in it. Other listeners on the request, the response or their socket run in the
 * scope of the event. If one needs the tenant's scope, bind it with `AsyncResource.bind()`.
 *
 * Nothing but an error reaches `next` where nothing is served: `InvalidHostError` (400), `UnknownHostError` or `TenantNotServedError` (404, or
 * `notFoundStatus`), `DirectoryUnavailableError` (503). They have the `status` and `headers` that Express answers with.
 */
export function tenantContext(options: TenantContextOptions = {}): RequestHandler {
  // as a middleware it would answer no request
  if (typeof arguments[2] === 'function') {
    throw RoutingError.notCalled('app.use()');
  }

  return (req, res, next) => {
    // Express 4 does not wait for promises
    const fail = (error: unknown): void => next(error);

    try {
      const found = identify(requestOf(req), options, req);

      if (found instanceof Promise) {
        found.then(each => serve(each, options, [req, res, next]), fail);
      } else {
        serve(found, options, [req, res, next]);
      }
    } catch (error) {
      fail(error);
    }
  };
}

function requestOf(req: Request): WebRequest {
  return {
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    httpVersionMajor: req.httpVersionMajor,
    url: req.url,
    originalUrl: req.originalUrl,
    forwardedHost: req.headers['x-forwarded-host'] !== undefined && isProxyTrusted(req) ? req.get('x-forwarded-host') : undefined,
  };
}

function serve(found: Identification, { notFound }: TenantContextOptions, [req, res, next]: Handled): void {
  if (found.kind === 'tenant' || found.kind === 'public') {
    if (found.kind === 'tenant') {
      exposeTenant(req, found);
    }

    if (found.mountPath !== undefined) {
      mount(req, res, found.mountPath);
    }

    runAs(found, () => goOn([req, res, next]));
  } else if (found.kind === 'unknown' && typeof notFound === 'function') {
    const fail = (error: unknown): void => next(error);
    const inItsScope: NextFunction = (error?: unknown) => (error === undefined ? goOn([req, res, next]) : next(error));
    leaveScope(async () => notFound(req, res, inItsScope)).catch(fail);
  } else if (found.kind === 'redirected') {
    // Express answers an error with this status by 500
    res.status(found.error.status).set(found.error.headers).type('text').send(found.error.message);
  } else {
    next(found.error);
  }
}

/** Serves the rest of the request in the current scope. */
function goOn([req, res, next]: Handled): void {
  keepScopeOfPipes(res);
  keepScopeOfBody(req);
  next();
}

type Handled = readonly [req: Request, res: Response, next: NextFunction];
