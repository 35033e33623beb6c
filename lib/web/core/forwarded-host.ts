import type { WebRequest } from './web-request.js';

/** For frameworks that have no setting of their own for the proxy in front. */
export interface TrustProxyOption<Context> {
  /**
   * Whether `X-Forwarded-Host` names the host: a proxy in front sets it, or removes what visitors send. With `true` on a server that visitors
   * reach directly, each chooses the tenant. A function decides for each request, for example by the address of the connection.
   *
   * @default false
   */
  readonly trustProxy?: boolean | ((context: Context) => boolean);
}

/** The forwarded host of a request whose proxy is trusted. */
export function forwardedHostOf<Context>(
  { headers }: Pick<WebRequest, 'headers'>,
  { trustProxy = false }: TrustProxyOption<Context>,
  context: Context,
): string | undefined {
  const forwarded = headers['x-forwarded-host'];

  if (forwarded === undefined || !(typeof trustProxy === 'function' ? trustProxy(context) : trustProxy)) {
    return undefined;
  }

  return String(forwarded);
}
