import type { Context, Middleware, Next } from 'koa';
import { InvalidHostError, UnknownHostError } from '../../errors/index.js';
import { withoutPort } from '../../tenant/hostname.js';
import type { OrmOption } from '../../scope/live-orms.js';
import { leaveScope } from '../../orm/mikro-context.js';
import { heldScopeOf, publicScope } from '../../scope/make-scope.js';
import type { Scope } from '../../scope/scope.js';
import { Tenancy } from '../../tenancy.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { keepScope } from './keep-scope.js';

export interface TenantContextOptions extends OrmOption {
  /**
   * What happens on a host that no tenant has: `'error'` answers with `notFoundStatus`, `'public'` serves the public routes, and a
   * function decides itself, in no scope, as a middleware would. To go on it says as whom: `runInPublic(() => next())` or
   * `runInTenant('acme', () => next())`; behind a bare `next()` there is no scope, and `schemaRouter()` refuses.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((ctx: Context, next: Next) => unknown);

  /** The HTTP status for an unknown host, for example 400 for suspicious ones. @default 404 */
  readonly notFoundStatus?: number;
}

declare module 'koa' {
  interface DefaultState {
    /**
     * The tenant whose host the request came to; undefined on public hosts, a public tenant's among them. `currentTenant<Client>()`
     * gives the same entity as your own class. It is this request's own, made when it is first looked at, and belongs to no
     * EntityManager of it: what is done to it nobody else sees, and nobody stores. To change the tenant, load it.
     */
    tenant?: TenantMixin<unknown>;
  }
}

/**
 * Runs the rest of the request in the scope of the tenant whose host it came to, or in the public scope on a public host.
 * The host is read off the headers as Koa reads it: `X-Forwarded-Host` counts with `app.proxy` only, and of several its first. A streamed body keeps the scope
 * until it ends, whichever kind of stream Koa takes. A listener on the request, the response or their socket is called in whichever
 * scope the event comes from: bind what has to be the tenant's there with `AsyncResource.bind()`.
 *
 * A known host costs no query: what a process holds of the tenants is told of changes by the database (`directory` of the options).
 *
 * Errors, as Koa reads them: `InvalidHostError` (400), `UnknownHostError` (404, or `notFoundStatus`), `DirectoryUnavailableError` (503). The visitor is told nothing of
 * any other, such as the `OrmSelectionError` of a request that comes before there is an ORM: a 500, and the app's `error` event.
 */
export function tenantContext(options: TenantContextOptions = {}): Middleware {
  return async (ctx, next) => {
    const tenancy = Tenancy.select(options);
    const host = requestHost(ctx, tenancy);

    if (tenancy.rules.isPublicHost(host)) {
      return serve(ctx, next, tenancy, publicScope(tenancy.rules));
    }

    const found = tenancy.findHeld({ property: 'domainUrl', value: host });
    // without a promise where none is needed, which is for nearly every request
    const tenant = found instanceof Promise ? await found : found;

    if (tenant === undefined) {
      return notFound(ctx, next, { ...options, tenancy, host });
    }

    const scope = heldScopeOf(tenancy.rules, tenant);

    if (scope.kind === 'tenant') {
      exposeTenant(ctx.state, scope);
    }

    return serve(ctx, next, tenancy, scope);
  };
}

// made when it is first looked at, which many requests never do. With functions of its own each request's state would have a hidden class of
// its own in V8, which shows in the time of the whole request
function exposeTenant(state: Context['state'], scope: TenantScope): void {
  Object.defineProperty(state, SCOPE, { value: scope, configurable: true });
  Object.defineProperty(state, 'tenant', TENANT);
}

function replaceTenant(this: Context['state'], value: unknown): void {
  Object.defineProperty(this, 'tenant', { configurable: true, enumerable: true, writable: true, value });
}

function requestHost(ctx: Context, tenancy: Tenancy): string {
  const sent = sentHost(ctx);
  const host = sent === undefined ? undefined : withoutPort(sent);
  const canonical = host === undefined ? undefined : tenancy.rules.canonicalHost(host);

  if (canonical === undefined) {
    throw new InvalidHostError();
  }

  return canonical;
}

/**
 * The host that Koa reads too, port and all; undefined where a proxy in front may have read, and guarded, another one. Of several `Host`
 * headers Node takes the first. Of one header Koa takes the first of a list, and drops user info and the space without a break that
 * JavaScript counts as one and HTTP does not: no host name has those in it, so what was sent is taken as it is, but for forwarded hosts,
 * which come in lists.
 */
function sentHost(ctx: Context): string | undefined {
  const forwarded = ctx.app.proxy ? ctx.get('X-Forwarded-Host') : '';

  if (forwarded !== '') {
    return /[@\u00a0]/.test(forwarded.split(',', 1)[0] ?? '') ? undefined : ctx.host;
  }

  const { headers, httpVersionMajor, rawHeaders } = ctx.req;
  const authority = httpVersionMajor >= 2 ? (headers[':authority'] as string | undefined) : undefined;

  return countHosts(rawHeaders) > 1 ? undefined : authority || headers.host;
}

// names and values take turns
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;

  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];

    if (name?.length === HOST_HEADER.length && name.toLowerCase() === HOST_HEADER) {
      count += 1;
    }
  }

  return count;
}

function notFound(ctx: Context, next: Next, options: TenantContextOptions & { tenancy: Tenancy; host: string }): unknown {
  const { notFound: decision = 'error', notFoundStatus = 404, tenancy, host } = options;

  if (typeof decision === 'function') {
    return leaveScope(() => decision(ctx, next));
  }

  if (decision === 'public') {
    return serve(ctx, next, tenancy, publicScope(tenancy.rules));
  }

  throw new UnknownHostError(host, notFoundStatus);
}

function serve(ctx: Context, next: Next, tenancy: Tenancy, scope: Scope): Promise<void> {
  return tenancy.enter(scope, async () => {
    try {
      await next();
    } finally {
      // also after a throw: the body that was set is then destroyed, and its clean-up is the tenant's work too
      keepScope(ctx);
    }
  });
}

const SCOPE = Symbol('scope');

const TENANT: PropertyDescriptor & ThisType<{ readonly [SCOPE]: TenantScope }> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[SCOPE].tenant;
  },
  set: replaceTenant,
};

const HOST_HEADER = 'host';

type TenantScope = Scope & { readonly kind: 'tenant' };
