import type { FastifyInstance, FastifyRequest } from 'fastify';
import { innermostScope } from '../../scope/scope.js';
import { isReadable, isUnreadWebStream, keepScopeOfStream, keepScopeOfWebStream } from '../core/keep-scope.js';

/** Goes on in the scope of the request after its body was parsed, and reads streamed replies in it. */
export function keepScopeOfReplies(app: FastifyInstance, inScopeOf: (request: FastifyRequest) => InScope | undefined): void {
  // the parser of a body calls back in the context of the connection
  app.addHook('preValidation', (request, _reply, next) => {
    const inScope = inScopeOf(request);

    if (inScope === undefined) {
      next();
    } else {
      inScope(next);
    }
  });

  app.addHook('onSend', (request, _reply, payload, next) => {
    const inScope = inScopeOf(request);
    next(null, inScope === undefined ? payload : boundBody(payload, inScope));
  });
}

/** A streamed body that is read in the scope of the request, or in that which the flow is in. Any other body as it is. */
function boundBody(payload: unknown, inScope: InScope): unknown {
  return innermostScope() === undefined ? inScope(bind, payload) : bind(payload);
}

function bind(payload: unknown): unknown {
  if (isReadable(payload)) {
    keepScopeOfStream(payload);

    return payload;
  }

  if (isUnreadWebStream(payload)) {
    return keepScopeOfWebStream(payload);
  }

  return payload instanceof Response && isUnreadWebStream(payload.body)
    ? new Response(keepScopeOfWebStream(payload.body), payload)
    : payload;
}

export type InScope = <Args extends unknown[], Result>(fn: (...args: Args) => Result, ...args: Args) => Result;
