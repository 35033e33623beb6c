import { inspect } from 'node:util';
import { expect } from 'chai';

/** The error of the work. Fails if the work succeeds. */
export async function failureOf(work: Promise<unknown> | (() => unknown), label = 'the work'): Promise<unknown> {
  let answer: unknown;

  try {
    answer = await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return error;
  }

  return expect.fail(`${label} did not fail, and was answered with ${inspect(answer)}`);
}

/** The SQLSTATE of the error or of its cause. Otherwise its message, which is more useful in a failed assertion. */
export function sqlStateOf(error: unknown): string {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };

  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return code;
  }

  return cause === undefined ? String(error) : sqlStateOf(cause);
}
