import type { Readable, Writable } from 'node:stream';
import { keepFlow, type AsyncFlow } from '../../scope/async-flow.js';
import { innermostScope } from '../../scope/scope.js';

/**
 * Binds a stream to the current scope: its reads, and its destruction. A server reads a body when the visitor's connection can take more, which
 * is outside any scope. A stream that is bound twice stays in the first scope, which is the inner one.
 */
export function keepScopeOfStream(body: Readable): void {
  const flow = keepFlow();
  const [ownRead, ownDestroy] = [body._read.bind(body), body._destroy.bind(body)];
  const read: Readable['_read'] = (...args) => flow.runInAsyncScope(ownRead, undefined, ...args);
  const destroy: Readable['_destroy'] = (...args) => flow.runInAsyncScope(ownDestroy, undefined, ...args);

  // V8 puts a function that is written where it is assigned among the old objects, and the request would stay with it
  body._read = read;
  body._destroy = destroy;
}

/** The same for a web stream. Returns a stream that reads it in the current scope. */
export function keepScopeOfWebStream(body: ReadableStream): ReadableStream {
  const flow = keepFlow();
  const reader = body.getReader();
  const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
    const { done, value } = await reader.read();

    if (done) {
      controller.close();
    } else {
      controller.enqueue(value);
    }
  };

  return new ReadableStream(
    {
      pull: controller => flow.runInAsyncScope(pull, undefined, controller),
      cancel: reason => flow.runInAsyncScope(() => reader.cancel(reason)),
    },
    // reads nothing before somebody asks
    { highWaterMark: 0 },
  );
}

/** Binds every stream that is piped to the response, to the scope that pipes it or else to the current one. */
export function keepScopeOfPipes(response: Pick<Writable, 'on'>): void {
  const flow = keepFlow();

  response.on('pipe', (source: unknown) => {
    if (!isReadable(source)) {
      return;
    }

    if (innermostScope() === undefined) {
      flow.runInAsyncScope(keepScopeOfStream, undefined, source);
    } else {
      keepScopeOfStream(source);
    }
  });
}

/**
 * Binds the events of a request that has a body to the current scope. Node emits them in the context of the connection, and what reads a body may
 * go on from them: a parser that calls back, or a form that the request is piped to. A request that is bound again is in the later scope.
 */
export function keepScopeOfBody(req: ReadRequest): void {
  if (!mayHaveBody(req)) {
    return;
  }

  const isBound = FLOW in req;
  req[FLOW] = keepFlow();

  if (!isBound) {
    const own = req.emit.bind(req);
    const emit: ReadRequest['emit'] = (...args) => (req[FLOW] as AsyncFlow).runInAsyncScope(own, undefined, ...args);
    req.emit = emit;
  }
}

/** Whether the value is a stream that can be bound. Checks the methods, because the readable-stream package has its own class. */
export function isReadable(body: unknown): body is Readable {
  const { _read, _destroy } = (body ?? {}) as Partial<Readable>;

  return typeof _read === 'function' && typeof _destroy === 'function';
}

/** Whether the value is a web stream that nobody reads yet. A locked stream has a reader, in the scope where it was started. */
export function isUnreadWebStream(body: unknown): body is ReadableStream {
  return body instanceof ReadableStream && !body.locked;
}

/** Most requests have none, and what would be bound for nothing is spared. One of HTTP/2 need not say so. */
function mayHaveBody({ headers, httpVersionMajor }: ReadRequest): boolean {
  return httpVersionMajor > 1 || headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

const FLOW = Symbol('landlord.flow of body');

/** The parts of a request of `node:http` or `node:http2` that are used here. */
interface ReadRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly httpVersionMajor: number;
  emit(event: any, ...args: any[]): boolean;
  [FLOW]?: AsyncFlow;
}
