import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import type { Context } from 'koa';

/**
 * Binds a streamed body to the current scope: its reads, and its destruction. Koa reads the body after the middleware has returned, outside
 * any scope. A body that is bound twice stays in the first scope, which is the inner one.
 */
export function keepScope(ctx: Context): void {
  const web: unknown = ctx.body instanceof Response ? ctx.body.body : ctx.body;

  // a locked stream already has a reader, in the scope where it was started
  if (web instanceof ReadableStream && !web.locked) {
    replaceBody(ctx, Readable.fromWeb(web as never));
  }

  if (isReadable(ctx.body)) {
    const { body } = ctx;
    body._read = AsyncResource.bind(body._read.bind(body));
    body._destroy = AsyncResource.bind(body._destroy.bind(body));
  }
}

// Koa removes the content length when one body replaces another
function replaceBody(ctx: Context, body: Readable): void {
  const length = ctx.res.getHeader('Content-Length');
  ctx.body = body;

  if (length !== undefined) {
    ctx.set('Content-Length', String(length));
  }
}

// checks the methods, because the readable-stream package has its own class
function isReadable(body: unknown): body is Readable {
  const { _read, _destroy } = (body ?? {}) as Partial<Readable>;

  return typeof _read === 'function' && typeof _destroy === 'function';
}
