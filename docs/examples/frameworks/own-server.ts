import { AsyncResource } from 'node:async_hooks';
import { identify, runAs } from '@landlord/mikro-orm';

/** An edge for whatever calls a function with the request of the Fetch standard. */
// #region edge
export function withTenantScope(handle: (request: Request) => Promise<Response>): typeof handle {
  return async request => {
    const { pathname, search, host } = new URL(request.url);
    const headers = { host, ...Object.fromEntries(request.headers) };
    const found = await identify({ headers, url: pathname + search });

    if (found.kind === 'tenant' || found.kind === 'public') {
      return runAs(found, async () => inThisScope(await handle(request)));
    }

    const { message, status, headers: answerHeaders } = found.error;
    return new Response(message, { status, headers: answerHeaders });
  };
}

/** The server reads a body when the visitor can take more, which is outside any scope. This one is read in the scope of its request. */
function inThisScope(response: Response): Response {
  const reader = response.body?.getReader();

  if (reader === undefined) {
    return response;
  }

  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    const { done, value } = await reader.read();
    return done ? controller.close() : controller.enqueue(value);
  };
  const cancel = (reason: unknown): Promise<void> => reader.cancel(reason);
  const body = new ReadableStream({ pull: AsyncResource.bind(pull), cancel: AsyncResource.bind(cancel) }, { highWaterMark: 0 });

  return new Response(body, response);
}
// #endregion edge
