import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';

export const WAITS = [
  'promise',
  'nextTick',
  'microtask',
  'setImmediate',
  'timer',
  'event',
  'generator',
  'stream',
  'aborted timer',
  'rejection',
] as const;

export type Wait = (typeof WAITS)[number];

/** The ways to wait. Each continues in the same async context. */
export async function waitBy(wait: Wait): Promise<void> {
  await WAYS[wait]();
}

const WAYS: Readonly<Record<Wait, () => unknown>> = {
  promise: () => undefined,
  nextTick: () => new Promise<void>(resolve => process.nextTick(resolve)),
  microtask: () => new Promise<void>(resolve => queueMicrotask(resolve)),
  setImmediate: () => immediate(),
  timer: () => delay(1),
  event: () => {
    const events = new EventEmitter();
    setImmediate(() => events.emit('woken'));

    return once(events, 'woken');
  },
  generator: async () => {
    for await (const _ of twice()) {
      await Promise.resolve();
    }
  },
  stream: () => Readable.from(twice()).toArray(),
  'aborted timer': async () => {
    const controller = new AbortController();
    setImmediate(() => controller.abort());
    await delay(60_000, undefined, { signal: controller.signal }).catch(() => undefined);
  },
  rejection: () => Promise.reject(new Error('rejected')).catch(() => immediate()),
};

async function* twice(): AsyncGenerator<number> {
  yield 1;
  await Promise.resolve();
  yield 2;
}
