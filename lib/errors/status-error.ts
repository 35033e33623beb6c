import { TenantError } from './tenant-error.js';

/**
 * An error that says with which status a web framework answers the request it was thrown in. Koa, Express and Fastify read `status` and `headers`, Koa
 * also `expose`. Hono calls `getResponse()`.
 */
export abstract class StatusError extends TenantError {
  abstract readonly status: number;
  /** Whether the client is told the message. */
  abstract readonly expose: boolean;
  /** The headers of the response. */
  declare readonly headers?: Readonly<Record<string, string>>;

  /** The answer to the client, for what calls functions with the request of the Fetch standard. */
  getResponse(): Response {
    const { status, expose, headers, message } = this;
    // an import would load all of it into each command of the command line
    const { STATUS_CODES } = process.getBuiltinModule('node:http');

    return new Response(expose ? message : STATUS_CODES[status], {
      status,
      headers: { 'Content-Type': 'text/plain; charset=UTF-8', 'X-Content-Type-Options': 'nosniff', ...headers },
    });
  }
}
