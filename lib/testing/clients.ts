import type { TenantMixin } from '../tenant/tenant-mixin.js';

export interface AsTenantOptions {
  /** Sends the tenant's schema name in this header, in place of its host in `Host`. */
  readonly header?: string;

  /** Puts the tenant's schema name before each path, in place of its host in `Host`. @default false */
  readonly path?: boolean;
}

/**
 * The same client, whose requests are the tenant's: supertest's `request(app)` and `agent(app)`, or any other client with a method for each
 * verb whose requests have `set(header, value)`.
 */
export function asTenant<Client extends object>(client: Client, tenant: TenantNames, options: AsTenantOptions = {}): Client {
  const { path, headers } = addressOf(tenant, options);

  return new Proxy(client, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);

      if (typeof value !== 'function' || !VERBS.has(property as string)) {
        return typeof value === 'function' ? value.bind(target) : value;
      }

      return (url: string, ...rest: unknown[]) => {
        const request = value.call(target, path(url), ...rest) as SettableRequest;
        Object.entries(headers).forEach(([name, header]) => request.set(name, header));

        return request;
      };
    },
  });
}

/** Sends requests as the tenant to a Fastify or a Hono, in this process and without a port. The answers are the framework's own. */
export function inject<App extends Injectable>(app: App, tenant: TenantNames, options: AsTenantOptions = {}): Inject<App> {
  const { path, headers, host } = addressOf(tenant, options);

  return ((url: string, { method = 'GET', headers: own, body }: InjectOptions = {}) => {
    const all = { ...headers, ...own };

    // not `in`: an application of Nest only passes on what its adapter has
    if (isInjected(app)) {
      return app.inject({ method, url: path(url), headers: all, ...(body === undefined ? {} : { payload: body }) });
    }

    // Hono reads the host of the URL, and behind Node.js that of the header
    return app.request(`http://${host}${path(url)}`, { method, headers: all, ...(body === undefined ? {} : { body: textOf(body) }) });
  }) as Inject<App>;
}

function addressOf({ schemaName, domainUrl }: TenantNames, { header, path = false }: AsTenantOptions): Address {
  return {
    path: url => (path ? `/${schemaName}${url}` : url),
    headers: path ? {} : header === undefined ? { Host: domainUrl } : { [header]: schemaName },
    host: path || header !== undefined ? 'localhost' : domainUrl,
  };
}

function isInjected(app: Injectable): app is { inject(options: any): any } {
  return typeof (app as { readonly inject?: unknown }).inject === 'function';
}

function textOf(body: string | object): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

const VERBS: ReadonlySet<string> = new Set(['get', 'head', 'post', 'put', 'patch', 'delete', 'del', 'options']);

export interface InjectOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
}

/** What `inject()` returns. */
export type Inject<App extends Injectable> = (
  url: string,
  options?: InjectOptions,
) => App extends { inject(options: any): infer Answer }
  ? Answer
  : App extends { request(url: string, init: any): infer Answer }
    ? Answer
    : never;

/** The parts of a Fastify and of a Hono that are used here. */
export type Injectable = { inject(options: any): any } | { request(url: string, init: any): any };

/** The parts of a tenant that its requests need. */
export type TenantNames = Pick<TenantMixin<unknown>, 'schemaName' | 'domainUrl'>;

interface Address {
  readonly path: (url: string) => string;
  readonly headers: Readonly<Record<string, string>>;
  readonly host: string;
}

interface SettableRequest {
  set(name: string, value: string): unknown;
}
