/** @ts-ignore Koa is optional */
import type { Context, Middleware, Next } from 'koa';
import { RoutingError } from '../../errors/index.js';
import { leaveScope } from '../../orm/mikro-context.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { exposeTenant } from '../core/found-tenant.js';
import { identify, type IdentifyOptions } from '../core/identify.js';
import type { IdentifiedAsPublic, IdentifiedAsTenant } from '../core/identification.js';
import { keepScopeOfBody } from '../core/keep-scope.js';
import { withoutMount } from '../core/mount.js';
import { runAs } from '../core/run-as.js';
import type { WebRequest } from '../core/web-request.js';
import { keepScope } from './keep-scope.js';

export interface TenantContextOptions extends Omit<IdentifyOptions<Context>, 'notFound'> {
  /**
   * What happens on a host that no tenant has. `'error'` answers with `notFoundStatus`. `'public'` serves the public routes. A function
   * handles the request like a middleware, outside any scope. It can choose the scope: `runInPublic(() => next())` or
   * `runInTenant('acme', () => next())`. After a plain `next()` there is no scope, and `schemaRouter()` throws.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((ctx: Context, next: Next) => unknown);
}

/** @ts-ignore Koa is optional */
declare module 'koa' {
  interface DefaultState {
    /**
     * The tenant of the request's host. Undefined on public hosts, including the host of a public tenant. `currentTenant<Client>()` returns
     * the same entity, typed as your class. The entity is created when it is first read, for this request only. No EntityManager of the
     * request manages it, so changes to it are not stored. To change the tenant, load it.
     */
    tenant?: TenantMixin<unknown>;
  }
}

/**
 * Runs the rest of the request in the scope of the tenant that has the request's host, or in the public scope on a public host.
 * The host is read from the headers like in Koa: `X-Forwarded-Host` counts only with `app.proxy`, and only its first value. A streamed body
 * keeps the scope until it ends, for every kind of stream that Koa accepts, and the events of a request with a body are in it. Other listeners on
 * the request, the response or their socket run in the scope of the event. If one needs the tenant's scope, bind it with `AsyncResource.bind()`.
 *
 * A known host costs no query: each process caches tenants, and the database reports changes (see the option `directory`).
 *
 * Errors that Koa shows to the client: `InvalidHostError` (400), `UnknownHostError` (404, or `notFoundStatus`) and
 * `DirectoryUnavailableError` (503). For any other error, such as an `OrmSelectionError` before the ORM is open, the client gets only a
 * 500, and the app emits `error`.
 */
export function tenantContext(options: TenantContextOptions = {}): Middleware {
  // as a middleware it would end each request with 404
  if (typeof arguments[1] === 'function') {
    throw RoutingError.notCalled();
  }

  const { notFound } = options;

  return async (ctx, next) => {
    const identified = identify(requestOf(ctx), options, ctx);
    const found = identified instanceof Promise ? await identified : identified;

    if (found.kind === 'tenant' || found.kind === 'public') {
      return serve(ctx, next, found);
    }

    // an answer like any other, and no error for the handlers before
    if (found.kind === 'redirected') {
      ctx.status = found.error.status;
      ctx.set(found.error.headers);
      ctx.body = found.error.message;
      return;
    }

    if (found.kind === 'unknown' && typeof notFound === 'function') {
      return leaveScope(() => notFound(ctx, () => goOn(ctx, next)));
    }

    throw found.error;
  };
}

function requestOf(ctx: Context): WebRequest {
  const { app, req, originalUrl } = ctx;

  return {
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    httpVersionMajor: req.httpVersionMajor,
    url: ctx.url,
    originalUrl,
    forwardedHost: app.proxy ? ctx.get('X-Forwarded-Host') : undefined,
  };
}

function serve(ctx: Context, next: Next, found: IdentifiedAsTenant | IdentifiedAsPublic): Promise<void> {
  if (found.kind === 'tenant') {
    exposeTenant(ctx.state, found);
  }

  const mounted = found.mountPath === undefined ? next : mount(ctx, next, found.mountPath);

  return runAs(found, () => goOn(ctx, mounted));
}

/** Serves the rest of the request in the current scope. */
async function goOn(ctx: Context, next: Next): Promise<void> {
  keepScopeOfBody(ctx.req);

  try {
    await next();
  } finally {
    // also after a throw: the body is then destroyed, and its clean-up belongs in the tenant's scope too
    keepScope(ctx);
  }
}

/** Takes the tenant off the path for what comes after, as a mounted application has it. */
function mount(ctx: Context, next: Next, mountPath: string): Next {
  return async () => {
    const { url } = ctx;
    ctx.url = withoutMount(url, mountPath);

    try {
      await next();
    } finally {
      ctx.url = url;
    }
  };
}
