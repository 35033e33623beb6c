import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import type { Context, Middleware, Next } from 'koa';
import { InvalidHostError, UnknownHostError } from '../errors.js';
import { withoutPort } from '../hostname.js';
import { resolveHost, type OrmOption } from '../scope/host.js';
import { publicScope, scopeOf } from '../scope/run-in.js';
import type { Scope } from '../scope/scope.js';
import type { Tenancy } from '../tenancy.js';
import type { TenantMixin } from '../tenant-mixin.js';

export interface TenantContextOptions extends OrmOption {
  /**
   * What happens on a host that no tenant has: `'error'` answers with `notFoundStatus`, `'public'` serves the public routes, and a
   * function decides itself, in no scope; what it returns or throws is the request's result.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((ctx: Context, next: Next) => unknown);

  /** The HTTP status for an unknown host, for example 400 for suspicious ones. @default 404 */
  readonly notFoundStatus?: number;
}

declare module 'koa' {
  interface DefaultState {
    /** The tenant whose host the request came to; undefined on public hosts. */
    tenant?: TenantMixin<unknown>;
  }
}

/**
 * Runs the rest of the request in the scope of the tenant whose host it came to, or in the public scope on a public host.
 * The host is Koa's: `X-Forwarded-Host` counts with `app.proxy` only. A streamed body keeps the scope until it ends.
 *
 * Errors, as Koa reads them: `InvalidHostError` (400), `UnknownHostError` (404, or `notFoundStatus`).
 */
export function tenantContext(options: TenantContextOptions = {}): Middleware {
  return async (ctx, next) => {
    const tenancy = resolveHost(options) as Tenancy;
    const host = requestHost(ctx, tenancy);
    const tenant = tenancy.isPublicHost(host) ? undefined : await tenancy.findTenantByHost(host);

    if (tenant === undefined && !tenancy.isPublicHost(host)) {
      return notFound(ctx, next, { ...options, tenancy, host });
    }

    if (tenant !== undefined && !tenancy.isPublicTenant(tenant)) {
      ctx.state.tenant = tenant;
    }

    return serve(ctx, next, tenancy, tenant === undefined ? publicScope(tenancy) : scopeOf(tenancy, tenant));
  };
}

function requestHost(ctx: Context, tenancy: Tenancy): string {
  // Koa hands on what the client sent, port and all
  const host = withoutPort(ctx.host);
  const canonical = host === undefined ? undefined : tenancy.canonicalHost(host);

  if (canonical === undefined) {
    throw new InvalidHostError();
  }

  return canonical;
}

function notFound(ctx: Context, next: Next, options: TenantContextOptions & { tenancy: Tenancy; host: string }): unknown {
  const { notFound: decision = 'error', notFoundStatus = 404, tenancy, host } = options;

  if (typeof decision === 'function') {
    return decision(ctx, next);
  }

  if (decision === 'public') {
    return serve(ctx, next, tenancy, publicScope(tenancy));
  }

  throw new UnknownHostError(host, notFoundStatus);
}

function serve(ctx: Context, next: Next, tenancy: Tenancy, scope: Scope): Promise<void> {
  return tenancy.enter(scope, async () => {
    await next();
    keepScope(ctx);
  });
}

/** Koa reads a streamed body after the middleware has returned, outside of every scope; so its reads are bound to this one. */
function keepScope(ctx: Context): void {
  if (ctx.body instanceof ReadableStream) {
    ctx.body = Readable.fromWeb(ctx.body as never);
  }

  if (ctx.body instanceof Readable) {
    const { body } = ctx;
    body._read = AsyncResource.bind(body._read.bind(body));
    body._destroy = AsyncResource.bind(body._destroy.bind(body));
  }
}
