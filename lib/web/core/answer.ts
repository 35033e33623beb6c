/** What a visitor is told of an error. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly message: string;
  /** Whether it is a fault of the application, which the visitor learns nothing about. */
  readonly isFault: boolean;
}

/** The answer to an error, by the properties that Koa and Express read: `status`, `expose` and `headers`. */
export function answerOf(error: unknown): ErrorAnswer {
  // an import would load all of it, WebSockets and `fetch` too, into each command of the command line
  const { STATUS_CODES } = process.getBuiltinModule('node:http');
  const { status: given, statusCode, expose, headers, message } = (error ?? {}) as Readonly<Record<string, unknown>>;
  const status = [given, statusCode].find(
    each => Number.isInteger(each) && STATUS_CODES[each as number] !== undefined && Number(each) >= 300,
  );
  const isShown = status !== undefined && (typeof expose === 'boolean' ? expose : Number(status) < 500);

  return {
    status: Number(status ?? 500),
    headers: status !== undefined && typeof headers === 'object' && headers !== null ? (headers as Record<string, string>) : {},
    message: isShown ? String(message) : (STATUS_CODES[Number(status ?? 500)] as string),
    isFault: !isShown && Number(status ?? 500) >= 500,
  };
}
