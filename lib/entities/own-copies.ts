import { Utils } from '@mikro-orm/core';
import { mayHoldEntities } from './foreign-entities.js';

/**
 * A copy of a condition or of data, if there may be entities in it. MikroORM puts their keys in their places, in the object that it was given. Used
 * again in another tenant's scope, that would no longer tell whose keys they are.
 */
export function ownCopy<Given>(given: Given): Given {
  return mayHoldEntities(given) ? (copyOf(given, new Set()) as Given) : given;
}

function copyOf(value: unknown, seen: ReadonlySet<object>): unknown {
  if (typeof value !== 'object' || value === null || seen.has(value)) {
    return value;
  }

  const inner = new Set([...seen, value]);

  if (Array.isArray(value)) {
    return value.map(item => copyOf(item, inner));
  }

  // a symbol is a fragment that is the key of a condition
  return Utils.isPlainObject(value) && !Utils.isEntity(value)
    ? Object.fromEntries(Reflect.ownKeys(value).map(key => [key, copyOf((value as Values)[key], inner)]))
    : value;
}

type Values = Readonly<Record<PropertyKey, unknown>>;
