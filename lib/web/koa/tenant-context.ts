import type { Context, Middleware, Next } from 'koa';
import { InvalidHostError, RoutingError, UnknownHostError } from '../../errors/index.js';
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
   * What happens on a host that no tenant has. `'error'` answers with `notFoundStatus`. `'public'` serves the public routes. A function
   * handles the request like a middleware, outside any scope. It can choose the scope: `runInPublic(() => next())` or
   * `runInTenant('acme', () => next())`. After a plain `next()` there is no scope, and `schemaRouter()` throws.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((ctx: Context, next: Next) => unknown);

  /** The HTTP status for an unknown host, for example 400. @default 404 */
  readonly notFoundStatus?: number;
}

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
 * keeps the scope until it ends, for every kind of stream that Koa accepts. A listener on the request, the response or their socket runs in
 * the scope of the event. If it needs the tenant's scope, bind it with `AsyncResource.bind()`.
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

  return async (ctx, next) => {
    const tenancy = Tenancy.select(options);
    const host = requestHost(ctx, tenancy);

    if (tenancy.rules.isPublicHost(host)) {
      return serve(ctx, next, tenancy, publicScope(tenancy.rules));
    }

    const found = tenancy.findHeld({ property: 'domainUrl', value: host });
    // nearly every request finds a cached tenant, and then needs no promise
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

// a getter, because many requests never read the tenant. It is shared by all requests: with functions of its own, each state would get its
// own hidden class in V8, which makes the whole request measurably slower
function exposeTenant(state: Context['state'], scope: TenantScope): void {
  Object.defineProperty(state, SCOPE, { value: scope, configurable: true });
  Object.defineProperty(state, 'tenant', TENANT_PROPERTY);
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

  for (const other of otherHosts(ctx)) {
    const name = other === undefined ? undefined : withoutPort(other);

    if (name === undefined || tenancy.rules.canonicalHost(name) !== canonical) {
      throw InvalidHostError.severalHosts();
    }
  }

  return canonical;
}

/**
 * The other hosts that the request names; undefined for one that cannot be read. All have to belong to the same tenant. A request line may
 * contain a host (`GET http://acme.example.com/ HTTP/1.1`). By RFC 9112 it replaces the `Host` header, but Koa returns it in `ctx.href` and
 * `ctx.URL`, and the header in `ctx.host`. If they differed, a cache would store one tenant's page under another tenant's URL. An HTTP/2
 * request has an authority, and may have a `Host` too (RFC 9113, 8.3.1).
 */
function otherHosts({ app, originalUrl, req }: Context): readonly (string | undefined)[] {
  const { ':authority': authority, host, 'x-forwarded-host': forwarded } = req.headers;
  // a forwarded host replaces both
  const isHostUsed = !(app.proxy && forwarded);
  const others = isHostUsed && req.httpVersionMajor >= 2 && authority && host !== undefined ? [host] : [];

  if (originalUrl.startsWith('/') || originalUrl === '*') {
    return others;
  }

  return [...others, ABSOLUTE_URL.exec(originalUrl)?.[1]];
}

/**
 * The host as Koa reads it, with its port. Undefined if a proxy in front may have read, and checked, another host: with several `Host`
 * headers, Node takes the first one. Within one header, Koa takes the first item of a list, and drops user info and a no-break space. No
 * host name contains these, so a `Host` header is taken unchanged. Only forwarded hosts come in lists.
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

// names and values alternate
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
      // also after a throw: the body is then destroyed, and its clean-up belongs in the tenant's scope too
      keepScope(ctx);
    }
  });
}

const SCOPE = Symbol('scope');

const TENANT_PROPERTY: PropertyDescriptor & ThisType<{ readonly [SCOPE]: TenantScope }> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[SCOPE].tenant;
  },
  set: replaceTenant,
};

const HOST_HEADER = 'host';

// up to where the authority ends by RFC 3986; user info and what browsers read otherwise stay in it, and are no host name
const ABSOLUTE_URL = /^https?:\/\/([^/?#]*)/i;

type TenantScope = Scope & { readonly kind: 'tenant' };
