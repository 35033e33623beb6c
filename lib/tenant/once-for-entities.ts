import type { EntityMetadata, MetadataStorage } from '@mikro-orm/core';

/** Computes something of all entities once for each ORM, and again when they are others: `orm.discoverEntity()` adds some later, and replaces some. */
export function onceForEntities<Result>(compute: (metas: readonly EntityMetadata[]) => Result): (storage: MetadataStorage) => Result {
  const known = new WeakMap<MetadataStorage, { readonly metas: readonly EntityMetadata[]; readonly result: Result }>();

  return storage => {
    const now = storage.getAll();
    let found = known.get(storage);

    if (found === undefined || !isSameList(found.metas, now)) {
      const metas = [...now.values()];
      found = { metas, result: compute(metas) };
      known.set(storage, found);
    }

    return found.result;
  };
}

function isSameList(known: readonly EntityMetadata[], now: ReadonlyMap<unknown, EntityMetadata>): boolean {
  let index = 0;

  for (const meta of now.values()) {
    if (known[index++] !== meta) {
      return false;
    }
  }

  return index === known.length;
}
