import { InvalidHostError } from '../../errors/index.js';
import type { TenantRules } from '../../scope/tenant-rules.js';
import { withoutPort } from '../../tenant/hostname.js';

/** What an HTTP request says. Node's `IncomingMessage` and `Http2ServerRequest` are such requests. */
export interface WebRequest {
  /** The headers, by lower-case names. HTTP/2 has its `:authority` here too. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** All headers as they were sent, names and values in turn. They show if there is more than one `Host`. */
  readonly rawHeaders?: readonly string[];
  /** @default 1 */
  readonly httpVersionMajor?: number;
  /** The target of the request: its path and query, or a URL. */
  readonly url?: string | undefined;
  /** The target as it was sent, where a router has changed `url`. @default `url` */
  readonly originalUrl?: string | undefined;
  /**
   * The value of `X-Forwarded-Host`, only if the proxy that sent it is trusted. It replaces the `Host`. Of several values, the first one
   * counts. Anybody can send this header, so without a trusted proxy, a visitor would choose the tenant.
   */
  readonly forwardedHost?: string | undefined;
}

/** A request, as a resolver gets it. */
export interface TenantRequest<Context = any> {
  /**
   * The host in canonical form, without port.
   *
   * @throws InvalidHostError `HOST_INVALID` if the request has no valid host, or more than one. It is answered with 400.
   */
  readonly host: string;
  /** Whether the host is one of `publicHosts`. */
  readonly isPublicHost: boolean;
  /** The path, without query: as it was sent, or what a router that is mounted before has left of it. */
  readonly path: string;
  /** What the framework gives to its own handlers: Koa's and Hono's context, the request of the others. */
  readonly context: Context;
  /** The value of a header. Undefined if the request does not have it, or has it more than once. */
  header(name: string): string | undefined;
}

export class ResolvedRequest<Context> implements TenantRequest<Context> {
  readonly context: Context;
  readonly #request: WebRequest;
  readonly #rules: TenantRules;
  #host: string | undefined;

  constructor(request: WebRequest, rules: TenantRules, context: Context) {
    this.context = context;
    this.#request = request;
    this.#rules = rules;
  }

  get host(): string {
    return (this.#host ??= hostOf(this.#request, this.#rules));
  }

  get isPublicHost(): boolean {
    return this.#rules.isPublicHost(this.host);
  }

  get path(): string {
    return pathOf(this.#request.url ?? '/');
  }

  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const value = this.#request.headers[wanted];

    // Node joins repeated headers by a comma
    return typeof value !== 'string' || countHeaders(this.#request.rawHeaders ?? [], wanted) > 1 ? undefined : value;
  }
}

/** The path of a target: its own part up to the query, also of a URL. */
export function pathOf(target: string): string {
  const path = target.replace(ABSOLUTE_URL, '').split(/[?#]/, 1)[0] as string;

  return path === '' ? '/' : path;
}

function hostOf(request: WebRequest, rules: TenantRules): string {
  const sent = sentHost(request);
  const canonical = sent === undefined ? undefined : canonicalOf(sent, rules);

  if (canonical === undefined) {
    throw new InvalidHostError();
  }

  for (const other of otherHosts(request)) {
    const name = other === undefined ? undefined : withoutPort(other);

    if (name === undefined || rules.canonicalHost(name) !== canonical) {
      throw InvalidHostError.severalHosts();
    }
  }

  return canonical;
}

/** The canonical form of a host with its port. What was sent lately is known: most requests are of few hosts. */
function canonicalOf(sent: string, rules: TenantRules): string | undefined {
  let lately = known.get(rules);

  if (lately === undefined) {
    known.set(rules, (lately = new Map()));
  }

  const found = lately.get(sent);

  if (found !== undefined) {
    return found;
  }

  const host = withoutPort(sent);
  const canonical = host === undefined ? undefined : rules.canonicalHost(host);

  // visitors choose what they send, and must not fill the memory with it
  if (canonical !== undefined && sent.length <= LONGEST_KNOWN) {
    // which was used last is not written down: that would cost each request more than it costs to read all of them anew
    if (lately.size >= MOST_KNOWN) {
      lately.clear();
    }

    lately.set(sent, canonical);
  }

  return canonical;
}

const known = new WeakMap<TenantRules, Map<string, string>>();

const MOST_KNOWN = 1_000;

/** A host name, a dot and a port. */
const LONGEST_KNOWN = 260;

/**
 * The other hosts that the request names; undefined for one that cannot be read. All have to belong to the same tenant. A request line may
 * contain a host (`GET http://acme.example.com/ HTTP/1.1`). By RFC 9112 it replaces the `Host` header, but frameworks return it in the URL of
 * the request, and the header as its host. If they differed, a cache would store one tenant's page under another tenant's URL. An HTTP/2
 * request has an authority, and may have a `Host` too (RFC 9113, 8.3.1).
 */
function otherHosts({
  headers,
  httpVersionMajor = 1,
  forwardedHost,
  url = '/',
  originalUrl = url,
}: WebRequest): readonly (string | undefined)[] {
  const { ':authority': authority, host } = headers;
  // a forwarded host replaces both
  const others = !forwardedHost && httpVersionMajor >= 2 && authority && host !== undefined ? [textOf(host)] : NONE;

  if (originalUrl.startsWith('/') || originalUrl === '*') {
    return others;
  }

  return [...others, ABSOLUTE_URL.exec(originalUrl)?.[1]];
}

/**
 * The host with its port. Undefined if a proxy in front may have read, and checked, another host: with several `Host` headers, Node takes the
 * first one. Only forwarded hosts come in lists, so a `Host` header is taken unchanged.
 */
function sentHost({ headers, rawHeaders = NONE, httpVersionMajor = 1, forwardedHost }: WebRequest): string | undefined {
  if (forwardedHost) {
    return forwardedHost.split(',', 1)[0]?.replace(/^[ \t]+|[ \t]+$/g, '');
  }

  const authority = httpVersionMajor >= 2 ? headers[':authority'] : undefined;

  return countHeaders(rawHeaders, 'host') > 1 ? undefined : textOf(authority) || textOf(headers['host']);
}

// names and values alternate
function countHeaders(rawHeaders: readonly string[], wanted: string): number {
  let count = 0;

  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];

    if (name?.length === wanted.length && name.toLowerCase() === wanted) {
      count += 1;
    }
  }

  return count;
}

function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

const NONE: readonly string[] = [];

// up to where the authority ends by RFC 3986; user info and what browsers read otherwise stay in it, and are no host name
const ABSOLUTE_URL = /^https?:\/\/([^/?#]*)/i;
