import type { HeldRow } from '../../directory/held-tenant.js';
import { RedirectToPrimaryError } from '../../errors/index.js';
import type { Redirected } from './identification.js';
import type { NamedTenant } from './resolvers.js';
import type { WebRequest } from './web-request.js';

export interface RedirectOptions {
  /** The port of the redirect, where visitors do not use the one of the scheme. @default none */
  readonly port?: number;
}

/** The redirect of a request on another host than the tenant's primary domain. Undefined if it is on that, or the tenant has no domains. */
export function redirectOf(
  { primaryHost }: HeldRow,
  named: NamedTenant,
  { request, options }: { readonly request: WebRequest; readonly options: true | RedirectOptions },
): Redirected | undefined {
  // a tenant that was not found by its host is on a host of the application
  if (primaryHost === undefined || named.property !== 'domainUrl') {
    return undefined;
  }

  return named.value === primaryHost
    ? undefined
    : { kind: 'redirected', error: new RedirectToPrimaryError(locationOf(primaryHost, request, options)) };
}

/**
 * A reference without a scheme (RFC 3986, 4.2): the browser keeps the one that it used, whatever a proxy in front makes of it. The host is the
 * stored one. Nothing of the request can come before the first slash of the path.
 */
function locationOf(host: string, { url = '/', originalUrl = url }: WebRequest, options: true | RedirectOptions): string {
  const target = originalUrl.replace(/^https?:\/\/[^/?#]*/i, '');
  const path = target.startsWith('/') ? target : `/${target.startsWith('?') ? target : ''}`;
  const { port } = options === true ? {} : options;

  return `//${host}${port === undefined ? '' : `:${port}`}${path.replace(NOT_IN_URL, encodeByte)}`;
}

// a request line is read as bytes. What could not be one is of a request without a framework
function encodeByte(character: string): string {
  const code = character.charCodeAt(0);

  return code > 0xff ? '%EF%BF%BD' : `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

const NOT_IN_URL = /[^\u0021-\u007e]/g;
