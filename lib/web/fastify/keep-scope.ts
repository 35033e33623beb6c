import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AsyncFlow } from '../../scope/async-flow.js';
import { innermostScope } from '../../scope/scope.js';
import { isReadable, isUnreadWebStream, keepScopeOfStream, keepScopeOfWebStream } from '../core/keep-scope.js';

/** Goes on in the scope of the request after its body was parsed, and reads streamed replies in it. */
export function keepScopeOfReplies(app: FastifyInstance, flowOf: (request: FastifyRequest) => AsyncFlow | undefined): void {
  // the parser of a body calls back in the context of the connection
  app.addHook('preValidation', (request, _reply, next) => {
    const flow = flowOf(request);

    if (flow === undefined) {
      next();
    } else {
      flow.runInAsyncScope(next);
    }
  });

  app.addHook('onSend', (request, _reply, payload, next) => {
    const flow = flowOf(request);
    next(null, flow === undefined ? payload : boundBody(payload, flow));
  });
}

/** A streamed body that is read in the scope of the request, or in that which the flow is in. Any other body as it is. */
function boundBody(payload: unknown, flow: AsyncFlow): unknown {
  return innermostScope() === undefined ? flow.runInAsyncScope(bind, undefined, payload) : bind(payload);
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
