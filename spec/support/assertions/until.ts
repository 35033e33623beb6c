import { setTimeout } from 'node:timers/promises';

/** Waits for a condition, and says which when it does not come about. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitInMs = 15_000): Promise<void> {
  const end = Date.now() + limitInMs;

  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`waited ${limitInMs} ms in vain until ${what}`);
    }

    await setTimeout(5);
  }
}
