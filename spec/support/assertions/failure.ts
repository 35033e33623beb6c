import { expect } from 'chai';

/** What the work is rejected with. Fails where it succeeds. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  const outcome = await work.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  );

  return 'error' in outcome ? outcome.error : expect.fail(`It succeeded with ${JSON.stringify(outcome.value)}.`);
}

/** The SQLSTATE of the error or of what caused it; else its words, which tell more where another one was expected. */
export function sqlStateOf(error: unknown): string {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };

  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return code;
  }

  return cause === undefined ? String(error) : sqlStateOf(cause);
}
