import { countTenantsOf, hasServed } from './tenants-of-client.js';

/** Puts the client that is best for a tenant where the pool takes it from. */
export function putServedLast(idle: IdleItem[], tenant: string): void {
  let best = idle.length - 1;
  let fewest = Infinity;

  // the last one was used last
  for (let index = idle.length - 1; index >= 0; index -= 1) {
    const { client } = idle[index] as IdleItem;

    if (hasServed(client, tenant)) {
      best = index;
      break;
    }

    // where it is new, it is so where there is most room for it
    const count = countTenantsOf(client);

    if (count < fewest) {
      best = index;
      fewest = count;
    }
  }

  if (best !== idle.length - 1) {
    idle.push(...idle.splice(best, 1));
  }
}

/**
 * Puts the first of those who wait whose tenant the client has served where the pool takes it from. Looked for among as many as the pool has
 * connections. Each lets at most half as many past, which is half of the time that all connections take to become free once.
 */
export function putServedFirst(queue: PendingItem[], { client }: IdleItem, connections: number): void {
  // whoever passes passes the first, so that no other has been passed more often
  if ((queue[0]?.[PASSED] ?? 0) >= Math.ceil(connections / 2)) {
    return;
  }

  for (let index = 0; index < queue.length && index < connections; index += 1) {
    const waiter = queue[index]?.[WAITER];

    if (waiter !== undefined && hasServed(client, waiter.tenant)) {
      queue.slice(0, index).forEach(item => (item[PASSED] = (item[PASSED] ?? 0) + 1));
      queue.unshift(...queue.splice(index, 1));
      return;
    }
  }
}

/** For whom a connection is waited for. */
export const WAITER: unique symbol = Symbol('for which tenant a connection is waited for');

const PASSED: unique symbol = Symbol('how many have been let past');

/** Who waits for a connection. Written down on the item itself: a `WeakMap` costs each query more than all else here. */
export interface PendingItem {
  [WAITER]?: Waiter;
  [PASSED]?: number;
}

export interface IdleItem {
  readonly client: object;
}

export interface Waiter {
  readonly tenant: string;
  readonly connecting: Promise<unknown>;
}
