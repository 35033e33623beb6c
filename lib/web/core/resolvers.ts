import { ResolverError } from '../../errors/index.js';
import { canonicalHostname } from '../../tenant/hostname.js';
import { PathPattern } from './path-pattern.js';
import type { TenantRequest } from './web-request.js';

/**
 * Says which tenant a request means: a tenant by one of its unique properties, `'public'` for the public scope, or undefined if this resolver
 * does not know. The next resolver of the list is asked then. A resolver that throws ends the request with a 5xx, so that no other tenant
 * and no public page is served in its place.
 */
export type TenantResolver<Context = any> = (
  request: TenantRequest<Context>,
) => NamedTenant | 'public' | undefined | Promise<NamedTenant | 'public' | undefined>;

/** A tenant, by a unique property of the tenant entity. A tenant that does not exist is unknown: no other resolver is asked. */
export interface NamedTenant {
  /** The primary key or a property with a unique constraint, for example `schemaName`. */
  readonly property: string;
  readonly value: string | number;
  /** The part of the path that names the tenant. Edges that mount take it off. */
  readonly mountPath?: string | undefined;
}

export interface PropertyOption {
  /** The property of the tenant entity that is compared: the primary key or a unique one. @default 'schemaName' */
  readonly property?: string;
}

/** The tenant with the host of the request as its `domainUrl`, and the public scope on `publicHosts`. It knows every host. */
export function byHostname(): TenantResolver {
  return byDomain;
}

/**
 * The tenant that is named by the sub-domain: on `acme.example.com` the one with the schema name `acme`. Hosts of `publicHosts` serve the
 * public scope. It does not know the domain itself, other domains and deeper sub-domains.
 *
 * @throws ResolverError `RESOLVER_INVALID` if the domain is not a host name.
 */
export function bySubdomain(domain: string, { property = 'schemaName' }: PropertyOption = {}): TenantResolver {
  const canonical = canonicalHostname(domain, { stripWww: false });

  if (canonical === undefined) {
    throw ResolverError.invalidDomain(domain);
  }

  const ending = `.${canonical}`;

  return request => {
    const { host } = request;

    if (request.isPublicHost) {
      return 'public';
    }

    const value = host.endsWith(ending) ? host.slice(0, -ending.length) : '';

    return value === '' || value.includes('.') ? undefined : { property, value };
  };
}

/**
 * The tenant that a header names. Anybody can send any header, so a visitor would choose the tenant. Use it only where everything before this
 * server removes the header from what visitors send, or where every caller is trusted, and say so: `{ trusted: true }`.
 *
 * @throws ResolverError `RESOLVER_INVALID` without `trusted: true`.
 */
export function byHeader(name: string, options: PropertyOption & { readonly trusted: true }): TenantResolver {
  // plain JavaScript passes anything
  if ((options as { readonly trusted?: unknown } | undefined)?.trusted !== true) {
    throw ResolverError.notTrusted(name);
  }

  const { property = 'schemaName' } = options;

  return request => {
    const value = request.header(name);

    return value === undefined || value === '' ? undefined : { property, value };
  };
}

/**
 * The tenant that is named by the beginning of the path: with `/t/:tenant`, the path `/t/acme/books` means the tenant with the schema name
 * `acme`. The text of `:tenant` is decoded. It does not know other paths.
 *
 * Edges that run before the routes are chosen (Koa, Express, Node) take this part off the path while the tenant is served, as their routers do
 * when they are mounted. Fastify and Hono choose the route first: `withoutTenantPath()` of their edges takes it off before, and so does the option
 * `stripPath` of Nest's module. Without it, the routes have the prefix themselves.
 *
 * @throws ResolverError `RESOLVER_INVALID` if the pattern has not exactly one `:name`.
 */
export function byPath(pattern: string, { property = 'schemaName' }: PropertyOption = {}): TenantResolver {
  const prefix = new PathPattern(pattern);

  return ({ path }) => {
    const found = prefix.match(path);

    return found && { property, value: found.value, mountPath: found.mountPath };
  };
}

/**
 * The tenant that a verified token or session names. `fn` reads the claim from what the authentication before has put into the framework's
 * own context. It must not read a token that was not verified.
 */
export function byClaim<Context = any>(
  fn: (context: Context) => string | number | undefined | null | Promise<string | number | undefined | null>,
  { property = 'schemaName' }: PropertyOption = {},
): TenantResolver<Context> {
  const named = (value: string | number | undefined | null): NamedTenant | undefined =>
    value === undefined || value === null ? undefined : { property, value };

  return ({ context }) => {
    const value = fn(context);

    return value instanceof Promise ? value.then(named) : named(value);
  };
}

function byDomain(request: TenantRequest): NamedTenant | 'public' {
  const { host: value, isPublicHost } = request;

  return isPublicHost ? 'public' : { property: 'domainUrl', value };
}
