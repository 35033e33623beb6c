import { TenantError, show, type TenantErrorCode } from './tenant-error.js';

/** An error that an HTTP client caused, in the form Koa reads. */
export class HttpTenantError extends TenantError {
  readonly status: number;
  readonly expose = true;

  constructor(code: TenantErrorCode, status: number, message: string) {
    super(code, message);
    this.status = status;
  }
}

/** The `Host` header is no host name: 400. */
export class InvalidHostError extends HttpTenantError {
  constructor() {
    super('HOST_INVALID', 400, 'The Host header of this request is not a valid host name.');
  }
}

/** No tenant and no public route is served on this host: 404, or what `notFoundStatus` says. */
export class UnknownHostError extends HttpTenantError {
  readonly host: string;

  constructor(host: string, status: number) {
    super('HOST_UNKNOWN', status, `Nothing is served on the host ${show(host)}.`);
    this.host = host;
  }
}

/** Who is meant by a request cannot be found out, as the database cannot be reached: 503. */
export class DirectoryUnavailableError extends HttpTenantError {
  /** What Koa sends along. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(retryAfterInSeconds: number, cause: unknown) {
    super('DIRECTORY_UNAVAILABLE', 503, 'Which tenant this request is for cannot be looked up at the moment. Try again in a moment.');
    this.headers = { 'Retry-After': String(retryAfterInSeconds) };

    if (cause !== undefined) {
      this.cause = cause;
    }
  }
}

/** A lookup that the database has not answered in time. The cause of a `DirectoryUnavailableError`. */
export class LookupTimeoutError extends Error {
  constructor(limitInMs: number) {
    super(`The database did not answer within ${limitInMs} ms (\`directory.lookupTimeoutMs\`).`);
  }
}

/** What was given as a router is none, or `schemaRouter()` stands before `tenantContext()`. */
export class RoutingError extends TenantError {
  static notARouter(name: string, value: unknown): RoutingError {
    return new RoutingError(
      'NOT_A_ROUTER',
      `\`${name}\` of schemaRouter() is ${value === null ? 'null' : typeof value}, which is neither a middleware function nor a @koa/router. Pass \`router.routes()\`.`,
    );
  }

  static noContext(): RoutingError {
    return new RoutingError(
      'NO_TENANT_CONTEXT',
      "schemaRouter() was reached outside any scope, so it cannot tell the public routes from a tenant's. Put `koa.use(tenantContext())` before it.",
    );
  }
}
