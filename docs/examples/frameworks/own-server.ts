import { identify, runAs } from '@landlord/mikro-orm';

/** An edge for whatever calls a function with the request of the Fetch standard. */
// #region edge
export function withTenants(handle: (request: Request) => Promise<Response>): typeof handle {
  return async request => {
    const { pathname, search, host } = new URL(request.url);
    const headers = { host, ...Object.fromEntries(request.headers) };
    const found = await identify({ headers, url: pathname + search });

    if (found.kind === 'tenant' || found.kind === 'public') {
      return runAs(found, () => handle(request));
    }

    const { message, status, headers: answerHeaders } = found.error;
    return new Response(message, { status, headers: answerHeaders });
  };
}
// #endregion edge
