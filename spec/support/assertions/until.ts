import { setTimeout } from 'node:timers/promises';

/** Waits for a condition. On a time-out, the error names the condition. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitInMs = 15_000): Promise<void> {
  const end = Date.now() + limitInMs;

  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`waited ${limitInMs} ms in vain until ${what}`);
    }

    await setTimeout(5);
  }
}
