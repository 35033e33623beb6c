import { setTimeout } from 'node:timers/promises';

/** Waits for a condition. On a time-out, the error names the condition. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitInMs = 30_000): Promise<void> {
  const start = performance.now();

  while (!(await condition())) {
    const waitedInMs = performance.now() - start;

    if (waitedInMs > limitInMs) {
      throw new Error(`waited ${limitInMs} ms in vain until ${what}`);
    }

    // what takes long is asked for less often, as each question takes time from what is waited for
    await setTimeout(Math.min(5 + waitedInMs / 20, 30));
  }
}
