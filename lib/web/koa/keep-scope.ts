import { Readable } from 'node:stream';
import { isReadable, keepScopeOfStream } from '../core/keep-scope.js';
/** @ts-ignore Koa is optional */
import type { Context } from 'koa';

/** Binds a streamed body to the current scope. Koa reads the body after the middleware has returned, outside any scope. */
export function keepScope(ctx: Context): void {
  const given: unknown = ctx.body;

  // most bodies are text or data
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return;
  }

  const web: unknown = given instanceof Response ? given.body : given;

  // a locked stream already has a reader, in the scope where it was started
  if (web instanceof ReadableStream && !web.locked) {
    replaceBody(ctx, Readable.fromWeb(web as never));
  }

  if (isReadable(ctx.body)) {
    keepScopeOfStream(ctx.body);
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
