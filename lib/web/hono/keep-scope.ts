import type { Context } from 'hono';
import { isUnreadWebStream, keepScopeOfWebStream } from '../core/keep-scope.js';

/** Binds a streamed response to the current scope. The server reads it after the middleware has returned, outside any scope. */
export function keepScope(c: Context): void {
  if (!c.finalized || !mayStream(c.res)) {
    return;
  }

  const { body, status, statusText, headers } = c.res;

  if (isUnreadWebStream(body)) {
    const bound = new Response(keepScopeOfWebStream(body), { status, statusText, headers });
    // Hono would add the headers of the former response to the new one
    (c as { res: Response | undefined }).res = undefined;
    c.res = bound;
  }
}

/**
 * Whether the body may be a stream. A response of `@hono/node-server` becomes a real one when somebody looks at its body, which makes each
 * request slower. It keeps what it was made of under a symbol until then: text needs no binding. Where there is no such symbol, it is looked at.
 */
function mayStream(response: Response): boolean {
  const symbol = Object.getOwnPropertySymbols(response).find(each => each.description === 'cache');
  const made: unknown = symbol && (response as unknown as Record<symbol, unknown>)[symbol];

  return !(Array.isArray(made) && typeof made[0] === 'number' && (made[1] == null || typeof made[1] === 'string'));
}
