import { setTimeout } from 'node:timers/promises';

/** Waits for a condition, and says which when it does not come about. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + LIMIT_IN_MS;

  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`waited ${LIMIT_IN_MS} ms in vain until ${what}`);
    }

    await setTimeout(5);
  }
}

const LIMIT_IN_MS = 10_000;
