import { Utils } from '@mikro-orm/core';

/**
 * Whether `matters` holds of anything in the value, however deep it is in lists and plain objects. Texts, numbers and the like never do, and a
 * symbol always does: it is a fragment that is the key of a condition. Most calls are given nothing else, and nothing is allocated for them. What is
 * very deep, or contains itself, counts as if it did.
 */
export function anyWithin(value: unknown, matters: (leaf: object) => boolean): boolean {
  return typeof value === 'object' && value !== null ? anyInObject(value, matters) : typeof value === 'symbol';
}

/** The same of an object. Texts and numbers, which most are, are told in the loops: a call for each would be most of what this takes. */
export function anyInObject(value: object, matters: (leaf: object) => boolean, depth: number = MAX_DEPTH): boolean {
  if (depth === 0) {
    return true;
  }

  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const item: unknown = value[index];

      if (typeof item === 'object' && item !== null ? anyInObject(item, matters, depth - 1) : typeof item === 'symbol') {
        return true;
      }
    }

    return false;
  }

  const prototype: unknown = Object.getPrototypeOf(value);

  // most are object literals. What makes an object an entity is a symbol, which counts below
  if (prototype !== Object.prototype && prototype !== null && (!Utils.isPlainObject(value) || Utils.isEntity(value))) {
    return matters(value);
  }

  const values = value as Readonly<Record<string, unknown>>;

  for (const key in values) {
    const item = values[key];

    if (typeof item === 'object' && item !== null ? anyInObject(item, matters, depth - 1) : typeof item === 'symbol') {
      return true;
    }
  }

  return Object.getOwnPropertySymbols(values).length > 0;
}

const MAX_DEPTH = 8;
