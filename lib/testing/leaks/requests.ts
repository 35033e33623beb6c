import type { TenantNames } from '../clients.js';

/** A request of the leak suite. `{{mark}}` in its path, headers or body stands for the mark of the tenant that it is sent as. */
export interface LeakRequest {
  /** @default 'GET' */
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request for all tenants, or a function of the tenant, for what differs, such as a key in the path. */
export type RequestOf = LeakRequest | ((tenant: MarkedTenant) => LeakRequest | Promise<LeakRequest>);

/** A tenant of the leak suite. Its mark is a text that stands nowhere else. */
export interface MarkedTenant extends TenantNames {
  readonly mark: string;
}

/**
 * The requests of an OpenAPI document, one for each operation of these methods. `parameter` gives the values of the parameters in the path and of
 * those that are required in the query; without it they have the example of the document. Each path begins with that of the document's first server.
 */
export function requestsOf(
  document: OpenApiDocument,
  {
    methods = ['get'],
    parameter,
  }: {
    readonly methods?: readonly string[];
    readonly parameter?: (name: string, tenant: MarkedTenant) => string | number | undefined;
  } = {},
): RequestOf[] {
  const follow = <Value>(value: Value): Value => followed(document, value) as Value;
  const prefix = pathOfServer(document);

  return Object.entries(document.paths ?? {}).flatMap(([path, given]) => {
    const item = follow(given);

    return methods
      .filter(method => item[method] !== undefined)
      .map(method => (tenant: MarkedTenant) => {
        const parameters = [...(item.parameters ?? []), ...((item[method] as Operation).parameters ?? [])].map(follow) as Parameter[];
        const value = ({ name, example, schema }: Parameter): string => {
          const { example: ofSchema, default: byDefault } = follow(schema) ?? {};

          return encodeURIComponent(String(parameter?.(name, tenant) ?? example ?? ofSchema ?? byDefault ?? '1'));
        };
        const filled = parameters.reduce((url, each) => url.replaceAll(`{${each.name}}`, value(each)), `${prefix}${path}`);
        const query = parameters.filter(each => each.in === 'query' && each.required === true).map(each => `${each.name}=${value(each)}`);

        return { method: method.toUpperCase(), path: query.length === 0 ? filled : `${filled}?${query.join('&')}` };
      });
  });
}

/** The request as it is sent for a tenant. */
export async function requestFor(request: RequestOf, tenant: MarkedTenant): Promise<LeakRequest> {
  const { path, headers, body, method = 'GET' } = typeof request === 'function' ? await request(tenant) : request;
  const fill = (text: string): string => text.replaceAll('{{mark}}', tenant.mark);

  return {
    method,
    path: fill(path),
    headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, fill(value)])),
    ...(body === undefined ? {} : { body: fill(body) }),
  };
}

/** What a reference within the document leads to, and anything else as it is. */
function followed(document: object, value: unknown): unknown {
  const ref = (value as { readonly $ref?: unknown } | null | undefined)?.$ref;

  if (typeof ref !== 'string' || !ref.startsWith('#/')) {
    return value;
  }

  const names = ref
    .slice(2)
    .split('/')
    .map(name => name.replaceAll('~1', '/').replaceAll('~0', '~'));

  return names.reduce<unknown>((part, name) => (part as Readonly<Record<string, unknown>> | undefined)?.[name], document);
}

function pathOfServer({ servers = [] }: OpenApiDocument): string {
  const { url = '/', variables = {} } = servers[0] ?? {};
  const filled = Object.entries(variables).reduce((text, [name, variable]) => text.replaceAll(`{${name}}`, variable.default), url);

  return new URL(filled, 'http://localhost').pathname.replace(/\/$/, '');
}

/** The parts of an OpenAPI document that are used here. */
export interface OpenApiDocument {
  readonly servers?: readonly OpenApiServer[];
  readonly paths?: Readonly<Record<string, PathItem>>;
  /** What references such as `#/components/parameters/Id` lead to. */
  readonly components?: object;
}

interface OpenApiServer {
  readonly url: string;
  readonly variables?: Readonly<Record<string, { readonly default: string }>>;
}

interface PathItem {
  readonly [method: string]: any;
  readonly parameters?: readonly (Parameter | Reference)[];
}

interface Operation {
  readonly parameters?: readonly (Parameter | Reference)[];
}

interface Reference {
  readonly $ref: string;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly example?: Example;
  readonly schema?: { readonly example?: Example; readonly default?: Example };
}

type Example = string | number | boolean;
