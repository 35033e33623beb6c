import { StatusError } from './status-error.js';
import { TenantError, show, type TenantErrorCode } from './tenant-error.js';

/** An error that is shown to the HTTP client. */
export class HttpTenantError extends StatusError {
  readonly status: number;
  readonly expose = true;
  /** The headers of the response. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: TenantErrorCode, status: number, message: string, { headers = {}, ...options }: HttpErrorOptions = {}) {
    super(code, message, options);
    this.status = status;
    this.headers = headers;
  }
}

/** The `Host` header is not a valid host name, or the request names two hosts: status 400. */
export class InvalidHostError extends HttpTenantError {
  static severalHosts(): InvalidHostError {
    return new InvalidHostError('This request names more than one host.');
  }

  constructor(message = 'The Host header of this request is not a valid host name.') {
    super('HOST_INVALID', 400, message);
  }
}

/** The host belongs to no tenant and is not a public host: status 404, or `notFoundStatus`. */
export class UnknownHostError extends HttpTenantError {
  readonly host: string;

  constructor(host: string, status: number) {
    super('HOST_UNKNOWN', status, `Nothing is served on the host ${show(host)}.`);
    this.host = host;
    withoutStack(this);
  }
}

/** The request names no tenant that is served: status 404, or `notFoundStatus`. A request that names its tenant by the host gets an `UnknownHostError`. */
export class TenantNotServedError extends HttpTenantError {
  constructor(status: number) {
    super('TENANT_NOT_SERVED', status, 'This request names no tenant that is served here.');
    withoutStack(this);
  }
}

/** `authorize` has refused the request, and `forbiddenStatus` says that the visitor is told so. */
export class TenantForbiddenError extends HttpTenantError {
  constructor(status: number) {
    super('TENANT_FORBIDDEN', status, 'You may not use this tenant.');
  }
}

/** A session or a token is bound to another tenant, or to none: status 401. What it is bound to is not told. */
export class TenantMismatchError extends HttpTenantError {
  constructor() {
    super('TENANT_MISMATCH', 401, 'This session or token is not valid here. Sign in again.');
  }
}

/** `tenantUrl()` would make a URL of another host, or cannot make one. */
export class TenantUrlError extends TenantError {
  static invalidPath(path: unknown): TenantUrlError {
    return new TenantUrlError(
      'TENANT_URL',
      `${show(path)} is no path of a tenant's URL: it must begin with one slash. Otherwise it could lead to another host. Pass a path such as '/books?page=2'.`,
    );
  }

  static invalidBase(base: unknown): TenantUrlError {
    return new TenantUrlError(
      'TENANT_URL',
      `${show(base)} is no base of a tenant's URL. Pass a URL that names a property of the tenant, for example 'https://:domainUrl' or 'https://example.com/t/:schemaName'. ` +
        'A property in the host must be one that is a valid part of a host name.',
    );
  }
}

/**
 * A resolver cannot work (`RESOLVER_INVALID`), or has thrown (`RESOLVER_FAILED`): status 500, not shown to the visitor. Neither another tenant
 * nor a public page was served.
 */
export class ResolverError extends StatusError {
  readonly status = 500;
  readonly expose = false;

  static failed(cause: unknown): ResolverError {
    return new ResolverError(
      'RESOLVER_FAILED',
      'A resolver has thrown, so it is not known which tenant the request means. Nothing was served. ' +
        'Read its `cause`. A resolver that does not know the tenant returns undefined.',
      { cause },
    );
  }

  static invalidAnswer(answer: unknown): ResolverError {
    return new ResolverError(
      'RESOLVER_FAILED',
      `A resolver returned ${show(answer)}, which names no tenant. Nothing was served. Return \`{ property, value }\`, 'public' or undefined.`,
    );
  }

  static notTrusted(name: unknown): ResolverError {
    return new ResolverError(
      'RESOLVER_INVALID',
      `byHeader(${show(name)}) lets every visitor choose a tenant, because anybody can send this header. ` +
        'If everything before this server removes it from what visitors send, say so: `{ trusted: true }`.',
    );
  }

  static invalidDomain(domain: unknown): ResolverError {
    return new ResolverError(
      'RESOLVER_INVALID',
      `bySubdomain(${show(domain)}) got no host name. Pass the domain alone, for example 'example.com'.`,
    );
  }

  static invalidPattern(pattern: unknown): ResolverError {
    return new ResolverError(
      'RESOLVER_INVALID',
      `byPath(${show(pattern)}) got a pattern that it cannot read. Begin it with a slash, and name the tenant once: '/t/:tenant'.`,
    );
  }

  static notUnique(entity: string, property: unknown): ResolverError {
    return new ResolverError(
      'RESOLVER_INVALID',
      `A resolver names a tenant by ${show(property)}, which is not a unique property of ${entity}. Two tenants could have the same value. ` +
        'Name it by its primary key, or by a property with a unique constraint.',
    );
  }

  static notText(entity: string, property: unknown): ResolverError {
    return new ResolverError(
      'RESOLVER_INVALID',
      `A resolver names a tenant by ${show(property)} of ${entity}, which is stored neither as text nor as an integer or a uuid. Name it by another property.`,
    );
  }
}

/** The tenant of a request cannot be looked up, because the database cannot be reached: status 503. */
export class DirectoryUnavailableError extends HttpTenantError {
  constructor(retryAfterInSeconds: number, cause: unknown) {
    super('DIRECTORY_UNAVAILABLE', 503, 'The tenant of this request cannot be looked up at the moment. Try again in a moment.', {
      headers: { 'Retry-After': String(retryAfterInSeconds) },
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The database did not answer a lookup in time. It is the cause of a `DirectoryUnavailableError`. */
export class LookupTimeoutError extends Error {
  constructor(limitInMs: number) {
    super(`The database did not answer within ${limitInMs} ms (\`directory.lookupTimeoutMs\`).`);
  }
}

/** What a visitor asked for is no fault of the code. Without its place, a refusal cannot be told from an unknown tenant by a page for developers. */
function withoutStack(error: Error): void {
  error.stack = `${error.name}: ${error.message}`;
}

/** `schemaRouter()` got something that is not a router, or it is used before `tenantContext()`. */
export class RoutingError extends TenantError {
  static notARouter(name: string, value: unknown, wanted = 'a middleware function or a @koa/router'): RoutingError {
    return new RoutingError(
      'NOT_A_ROUTER',
      `\`${name}\` of schemaRouter() is ${value === null ? 'null' : typeof value}, but must be ${wanted}. ${wanted.includes('koa') ? 'Pass `router.routes()`.' : 'Nothing was served.'}`,
    );
  }

  /** For `koa.use(tenantContext)`. */
  static notCalled(use = 'koa.use()'): RoutingError {
    return new RoutingError(
      'NO_TENANT_CONTEXT',
      `\`tenantContext\` was given to \`${use}\` as it is, so it was called for a request and has selected no tenant. Nothing was served. Call it: \`${use.replace('()', '(tenantContext())')}\`.`,
    );
  }

  static unknownFastify(): RoutingError {
    return new RoutingError(
      'NOT_A_ROUTER',
      'This version of Fastify does not say which proxies it trusts, so the host of a request is not known for certain. Nothing was registered. Use Fastify 5.',
    );
  }

  /** For Nest's module. */
  static cannotStrip(pattern: string): RoutingError {
    return new RoutingError(
      'NOT_A_ROUTER',
      `\`stripPath\` is ${show(pattern)}, but Fastify chooses the route before any middleware of Nest, so it cannot be taken off there. Nothing was registered. ` +
        `Give it to the adapter: \`new FastifyAdapter({ rewriteUrl: withoutTenantPath(${show(pattern)}) })\`, with \`withoutTenantPath\` of \`@landlord/mikro-orm/fastify\`.`,
    );
  }

  /** For `runAs()`. */
  static notIdentified(): RoutingError {
    return new RoutingError('NO_TENANT_CONTEXT', 'runAs() got something that `identify()` has not returned. Nothing was run.');
  }

  static noContext(before = 'koa.use(tenantContext())'): RoutingError {
    return new RoutingError(
      'NO_TENANT_CONTEXT',
      `schemaRouter() was called outside any scope, so it cannot choose between the public and the tenant routes. Put \`${before}\` before it.`,
    );
  }
}

interface HttpErrorOptions extends ErrorOptions {
  readonly headers?: Readonly<Record<string, string>>;
}
