import { TenantError, show, type TenantErrorCode } from './tenant-error.js';

/** An error that is shown to the HTTP client. Koa reads `status` and `expose`. */
export class HttpTenantError extends TenantError {
  readonly status: number;
  readonly expose = true;

  constructor(code: TenantErrorCode, status: number, message: string) {
    super(code, message);
    this.status = status;
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
  }
}

/** The tenant of a request cannot be looked up, because the database cannot be reached: status 503. */
export class DirectoryUnavailableError extends HttpTenantError {
  /** The headers that Koa sends with the response. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(retryAfterInSeconds: number, cause: unknown) {
    super('DIRECTORY_UNAVAILABLE', 503, 'The tenant of this request cannot be looked up at the moment. Try again in a moment.');
    this.headers = { 'Retry-After': String(retryAfterInSeconds) };

    if (cause !== undefined) {
      this.cause = cause;
    }
  }
}

/** The database did not answer a lookup in time. It is the cause of a `DirectoryUnavailableError`. */
export class LookupTimeoutError extends Error {
  constructor(limitInMs: number) {
    super(`The database did not answer within ${limitInMs} ms (\`directory.lookupTimeoutMs\`).`);
  }
}

/** `schemaRouter()` got something that is not a router, or it is used before `tenantContext()`. */
export class RoutingError extends TenantError {
  static notARouter(name: string, value: unknown): RoutingError {
    return new RoutingError(
      'NOT_A_ROUTER',
      `\`${name}\` of schemaRouter() is ${value === null ? 'null' : typeof value}, but must be a middleware function or a @koa/router. Pass \`router.routes()\`.`,
    );
  }

  /** For `koa.use(tenantContext)`. */
  static notCalled(): RoutingError {
    return new RoutingError(
      'NO_TENANT_CONTEXT',
      '`tenantContext` was given to `koa.use()` as it is, so it was called for a request and has selected no tenant. Nothing was served. Call it: `koa.use(tenantContext())`.',
    );
  }

  static noContext(): RoutingError {
    return new RoutingError(
      'NO_TENANT_CONTEXT',
      'schemaRouter() was called outside any scope, so it cannot choose between the public and the tenant routes. Put `koa.use(tenantContext())` before it.',
    );
  }
}
