import { inspect } from 'node:util';
import { expect } from 'chai';

/** What the work is rejected with, or throws. Fails where it succeeds. */
export async function failureOf(work: Promise<unknown> | (() => unknown), label = 'the work'): Promise<unknown> {
  let answer: unknown;

  try {
    answer = await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return error;
  }

  return expect.fail(`${label} did not fail, and was answered with ${inspect(answer)}`);
}

/** The SQLSTATE of the error or of what caused it; else its words, which tell more where another one was expected. */
export function sqlStateOf(error: unknown): string {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };

  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return code;
  }

  return cause === undefined ? String(error) : sqlStateOf(cause);
}
