import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';

/**
 * Binds a stream to the current scope: its reads, and its destruction. A server reads a body when the visitor's connection can take more, which
 * is outside any scope. A stream that is bound twice stays in the first scope, which is the inner one.
 */
export function keepScopeOfStream(body: Readable): void {
  body._read = AsyncResource.bind(body._read.bind(body));
  body._destroy = AsyncResource.bind(body._destroy.bind(body));
}

/** The same for a web stream: returns a stream of Node in its place. */
export function keepScopeOfWebStream(body: ReadableStream): Readable {
  const readable = Readable.fromWeb(body as never);
  keepScopeOfStream(readable);

  return readable;
}

/** Whether the value is a stream that can be bound. Checks the methods, because the readable-stream package has its own class. */
export function isReadable(body: unknown): body is Readable {
  const { _read, _destroy } = (body ?? {}) as Partial<Readable>;

  return typeof _read === 'function' && typeof _destroy === 'function';
}
