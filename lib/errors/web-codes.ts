import type { ResolverError, TenantForbiddenError, TenantNotServedError } from './web-errors.js';

/** The class of each code of the web edges, with the cause and the remedy, from which docs/reference/errors.md is written. */
export interface WebErrorCodes {
  /**
   * The request names no tenant that is served, by another resolver than the host. `status` is 404, or `notFoundStatus`.
   * @remedy This is an answer to a visitor. If the tenant is to be served, look at what the resolver reads from the request.
   */
  TENANT_NOT_SERVED: TenantNotServedError;
  /**
   * `authorize` has refused the request, and `forbiddenStatus` says that the visitor is told so.
   * @remedy This is an answer to a visitor. If the visitor may use the tenant, look at what `authorize` returned.
   */
  TENANT_FORBIDDEN: TenantForbiddenError;
  /**
   * A resolver cannot work: what it was given, or the property by which it names a tenant, does not tell one tenant from another.
   * @remedy Correct the resolver as the message says. It is refused when the application starts, or at its first request.
   */
  RESOLVER_INVALID: ResolverError;
  /**
   * A resolver has thrown, or has returned something that names no tenant. Nothing was served. `status` is 500, and the message is not sent.
   * @remedy Read the `cause`. A resolver that does not know the tenant returns undefined.
   */
  RESOLVER_FAILED: ResolverError;
}
