import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Writable } from 'node:stream';
import { leaveScope } from '../../orm/mikro-context.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import { answerOf } from '../core/answer.js';
import { exposeTenant } from '../core/found-tenant.js';
import { forwardedHostOf, type TrustProxyOption } from '../core/forwarded-host.js';
import type { Identification } from '../core/identification.js';
import { identify, type IdentifyOptions } from '../core/identify.js';
import { keepScopeOfBody, keepScopeOfPipes } from '../core/keep-scope.js';
import { withoutMount } from '../core/mount.js';
import { runAs } from '../core/run-as.js';
import type { WebRequest } from '../core/web-request.js';

/** A request of `node:http` or `node:http2`. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** A response of `node:http` or `node:http2`. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** The request, as a handler gets it. */
export type RequestWithTenant<Req extends NodeRequest> = Req & {
  /** The tenant of the request. Undefined in the public scope. No EntityManager of the request manages it. To change the tenant, load it. */
  readonly tenant?: TenantMixin<unknown>;
};

export interface TenantContextOptions<Req extends NodeRequest = NodeRequest, Res extends NodeResponse = NodeResponse>
  extends Omit<IdentifyOptions<Req>, 'notFound'>, TrustProxyOption<Req> {
  /**
   * What happens if no tenant is found. `'error'` answers with `notFoundStatus`. `'public'` runs the handler in the public scope. A function
   * answers the request itself, outside any scope.
   *
   * @default 'error'
   */
  readonly notFound?: 'error' | 'public' | ((req: Req, res: Res) => unknown);

  /**
   * Answers what the handler has thrown, and what is served to nobody. By default the visitor gets the error's `status`, `headers` and, where
   * it is meant for visitors, its message. Errors with a status of 500 or above that are not meant for visitors are also written to the console.
   */
  readonly onError?: (error: unknown, req: Req, res: Res) => unknown;
}

/**
 * A handler for `createServer()` of `node:http` and `node:http2`. It runs `handler` in the scope of the request's tenant, or in the public scope
 * on a public host. A stream that is piped to the response keeps the scope until it ends, and the events of a request with a body are in it. What
 * the handler throws is answered by `onError`.
 */
export function tenantContext<Req extends NodeRequest = IncomingMessage, Res extends NodeResponse = ServerResponse>(
  handler: (req: RequestWithTenant<Req>, res: Res) => unknown,
  options: TenantContextOptions<Req, Res> = {},
): (req: Req, res: Res) => void {
  const { onError = answerError } = options;

  const answer = async (req: Req, res: Res): Promise<void> => {
    try {
      const identified = identify(requestOf(req, options), options, req);
      const found = identified instanceof Promise ? await identified : identified;
      await serve(found, { handler, options, req, res });
    } catch (error) {
      await leaveScope(async () => onError(error, req, res)).catch(failure => answerError(failure, req, res));
    }
  };
  return (req, res) => void answer(req, res);
}

/** @internal */
export function requestOf<Req extends NodeRequest>(req: Req, options: TrustProxyOption<Req>): WebRequest {
  const { headers, rawHeaders, httpVersionMajor, url } = req;

  return { headers, rawHeaders, httpVersionMajor, url, forwardedHost: forwardedHostOf(req, options, req) };
}

async function serve<Req extends NodeRequest, Res extends NodeResponse>(found: Identification, handled: Handled<Req, Res>): Promise<void> {
  const { handler, options, req, res } = handled;
  const { notFound } = options;

  if (found.kind === 'unknown' && typeof notFound === 'function') {
    await leaveScope(async () => notFound(req, res));
    return;
  }

  if (found.kind === 'tenant') {
    exposeTenant(req, found);
  }

  if ('mountPath' in found && found.mountPath !== undefined) {
    const { url = '/' } = req;
    req.url = withoutMount(url, found.mountPath);
    // a handler may go on after it has returned
    (res as Writable).once('close', () => (req.url = url));
  }

  await runAs(found, async () => {
    keepScopeOfPipes(res);
    keepScopeOfBody(req);
    await handler(req, res);
  });
}

function answerError(error: unknown, _req: NodeRequest, res: NodeResponse): void {
  const { status, headers, message, isFault } = answerOf(error);

  if (isFault) {
    console.error(error);
  }

  if (res.headersSent) {
    // what has been sent cannot be taken back, and must not look complete
    (res as Writable).destroy();
    return;
  }

  for (const name of res.getHeaderNames()) {
    res.removeHeader(name);
  }

  res.statusCode = status;
  Object.entries(headers).forEach(([name, value]) => res.setHeader(name, value));
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.end(message);
}

interface Handled<Req extends NodeRequest, Res extends NodeResponse> {
  readonly handler: (req: RequestWithTenant<Req>, res: Res) => unknown;
  readonly options: TenantContextOptions<Req, Res>;
  readonly req: Req;
  readonly res: Res;
}
