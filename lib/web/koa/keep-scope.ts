import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import type { Context } from 'koa';

/**
 * Koa reads a streamed body after the middleware has returned, outside of every scope; so its reads, and what ends it, are bound
 * to the scope of now. Bound twice, a body stays with the scope it was bound to first, which is the inner one.
 */
export function keepScope(ctx: Context): void {
  const web: unknown = ctx.body instanceof Response ? ctx.body.body : ctx.body;

  // a locked one has a reader already, in whichever scope that was started
  if (web instanceof ReadableStream && !web.locked) {
    replaceBody(ctx, Readable.fromWeb(web as never));
  }

  if (isReadable(ctx.body)) {
    const { body } = ctx;
    body._read = AsyncResource.bind(body._read.bind(body));
    body._destroy = AsyncResource.bind(body._destroy.bind(body));
  }
}

// Koa takes the length off when one body replaces another
function replaceBody(ctx: Context, body: Readable): void {
  const length = ctx.res.getHeader('Content-Length');
  ctx.body = body;

  if (length !== undefined) {
    ctx.set('Content-Length', String(length));
  }
}

// by its methods, as the readable-stream package has a class of its own
function isReadable(body: unknown): body is Readable {
  const { _read, _destroy } = (body ?? {}) as Partial<Readable>;

  return typeof _read === 'function' && typeof _destroy === 'function';
}
