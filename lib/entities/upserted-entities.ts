import { AsyncLocalStorage } from 'node:async_hooks';
import { Utils } from '@mikro-orm/core';

/**
 * Runs an upsert of entities. MikroORM calls its hooks and the functions that give properties their first values after the entities were looked
 * at, and takes their keys then. So they are looked at again when they are sent.
 */
export async function upserting<Result>(given: unknown, schema: string | undefined, fn: () => Promise<Result>): Promise<Result> {
  const entities = Utils.asArray(given as object[]).filter(each => Utils.isEntity<object>(each));

  if (entities.length === 0) {
    return fn();
  }

  count += 1;

  try {
    return await storage.run({ entities, schema }, fn);
  } finally {
    count -= 1;
  }
}

/** The entities, each with its values as data besides: where no flush stores them, MikroORM does not check the types of their values. */
export function asData(given: unknown): readonly unknown[] {
  return Utils.asArray(given).flatMap(each => (Utils.isEntity<object>(each) ? [each, { ...each }] : [each]));
}

/** The upsert of entities that the flow is in. */
export function currentUpsert(): Upsert | undefined {
  // every statement comes here, and most of a process are of none
  return count === 0 ? undefined : storage.getStore();
}

const storage = new AsyncLocalStorage<Upsert>();

/** How many upserts are under way. */
let count = 0;

interface Upsert {
  readonly entities: readonly object[];
  /** The schema in the options of the call. */
  readonly schema: string | undefined;
}
