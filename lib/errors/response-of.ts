/**
 * The answer to a visitor, for what calls functions with the request of the Fetch standard. The error handler of Hono sends what `getResponse()` of an
 * error returns, and answers every other error with 500.
 */
export function responseOf({ status, expose, headers, message }: Answered): Response {
  // an import would load all of it into each command of the command line
  const { STATUS_CODES } = process.getBuiltinModule('node:http');

  return new Response(expose ? message : STATUS_CODES[status], {
    status,
    headers: { 'Content-Type': 'text/plain; charset=UTF-8', 'X-Content-Type-Options': 'nosniff', ...headers },
  });
}

interface Answered {
  readonly status: number;
  readonly expose: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly message: string;
}
