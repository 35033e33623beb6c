import { TenantError } from './tenant-error.js';

/**
 * An error that says with which status a web framework answers the request it was thrown in. Koa, Express and Fastify read `status` and `headers`, Koa
 * also `expose`. Hono calls `getResponse()`, and Nest reads `statusCode`.
 */
export abstract class StatusError extends TenantError {
  abstract readonly status: number;
  /** Whether the client is told the message. */
  abstract readonly expose: boolean;
  #hidesMessage = false;

  /** The status, unless Nest would tell the message with it to whom it is not for. */
  get statusCode(): number | undefined {
    return this.expose || this.#hidesMessage ? this.status : undefined;
  }

  /** To be called where what reads `statusCode` keeps the message of an error that is not for the client. */
  answerWithoutMessage(): void {
    this.#hidesMessage = true;
  }

  /** The answer to the client, for what calls functions with the request of the Fetch standard. */
  getResponse(): Response {
    const { status, expose, message } = this;
    // an import would load all of it into each command of the command line
    const { STATUS_CODES } = process.getBuiltinModule('node:http');

    return new Response(expose ? message : STATUS_CODES[status], {
      status,
      headers: { 'Content-Type': 'text/plain; charset=UTF-8', 'X-Content-Type-Options': 'nosniff', ...headersOf(this) },
    });
  }
}

/** The headers of the response, of those errors that have some. */
export function headersOf(error: StatusError): Readonly<Record<string, string>> {
  return 'headers' in error ? (error.headers as Readonly<Record<string, string>>) : {};
}
