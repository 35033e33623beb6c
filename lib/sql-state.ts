/** Whether the error, or one it was caused by, is of PostgreSQL with one of these SQLSTATEs. */
export function hasSqlState(error: unknown, states: readonly string[]): boolean {
  const state = sqlStateOf(error);

  return state !== undefined && states.includes(state);
}

/** The SQLSTATE of the error or of the nearest error that caused it: five characters, for example `42P06`. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown };

    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
      return code;
    }
  }

  return undefined;
}
