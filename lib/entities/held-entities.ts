import {
  ArrayType,
  Cursor,
  JsonType,
  Reference,
  ReferenceKind,
  ScalarReference,
  types,
  Utils,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';
import { anyWithin } from '../scope/plain-values.js';

/**
 * The properties that are no relations and may hold entities all the same. A JSON column stores all the data of an entity, and of a type of the
 * user's own nobody knows what it stores, such as the key. Of an entity in any other column MikroORM stores the key.
 */
export function holdersOf(meta: EntityMetadata): readonly EntityProperty[] {
  let found = holders.get(meta);

  if (found === undefined) {
    found = meta.props.filter(
      // to MikroORM, what is in the JSON of an embeddable is no column of its own
      ({ kind, persist, embedded, customType, ...property }) =>
        kind === ReferenceKind.SCALAR &&
        (persist !== false || embedded !== undefined) &&
        (customType === undefined ? !isChecked(property) : mayHold(customType)),
    );
    holders.set(meta, found);
  }

  return found;
}

/** The entities in the value of such a property. For a property of an embeddable, `value` is a list of values. */
export function entitiesHeldBy(value: unknown, { customType }: EntityProperty): readonly object[] {
  // most have none
  if (!anyWithin(value, isNoDate)) {
    return NONE;
  }

  const search: Search = { found: [], seen: new Set(), isJson: customType instanceof JsonType };
  look(value, search);

  return search.found;
}

/** Whether the property has a type of the user's own, of which nobody knows what it stores. */
export function isOfOwnType({ customType }: { readonly customType?: object | undefined }): boolean {
  // MikroORM has none for what the driver takes as it is
  return customType !== undefined && !MIKRO_TYPES.has(customType.constructor);
}

function look(given: unknown, search: Search): void {
  if (typeof given !== 'object' || given === null || search.seen.has(given)) {
    return;
  }

  search.seen.add(given);
  const value: unknown = given instanceof ScalarReference ? given.unwrap() : Reference.unwrapReference(given);

  if (value !== given) {
    look(value, search);
  } else if (Array.isArray(value) || value instanceof Cursor) {
    [...(value as Iterable<unknown>)].forEach(item => look(item, search));
  } else if (Utils.isCollection<object>(value)) {
    search.found.push(...value.getItems(false));
  } else if (Utils.isEntity<object>(value)) {
    search.found.push(value);
  } else if (Utils.isPlainObject<object>(given) || (search.isJson && isData(given))) {
    for (const key in given) {
      look((given as Readonly<Record<string, unknown>>)[key], search);
    }
  }
}

// what else is in the place of a value may lead to all that the application has
function isData(value: unknown): boolean {
  return !(value instanceof Date) && !ArrayBuffer.isView(value);
}

/** Whether MikroORM refuses an object in the place of the value. Of the types that it knows, it does so of these alone. */
function isChecked({ type, array, ref }: Pick<EntityProperty, 'type' | 'array' | 'ref'>): boolean {
  return CHECKED.has(type) && array !== true && ref !== true;
}

function mayHold(type: object): boolean {
  return type instanceof JsonType || type.constructor === ArrayType || !MIKRO_TYPES.has(type.constructor);
}

function isNoDate(leaf: object): boolean {
  return !(leaf instanceof Date);
}

const MIKRO_TYPES: ReadonlySet<unknown> = new Set(Object.values(types));

const CHECKED: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'Date']);

const holders = new WeakMap<EntityMetadata, readonly EntityProperty[]>();

const NONE: readonly object[] = [];

interface Search {
  readonly found: object[];
  readonly seen: Set<object>;
  /** Whether an object of any class is data. */
  readonly isJson: boolean;
}
