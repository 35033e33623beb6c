import {
  ArrayType,
  Cursor,
  EntityManager,
  JsonType,
  Reference,
  ReferenceKind,
  ScalarReference,
  types,
  Utils,
  WrappedEntity,
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
export function entitiesHeldBy(value: unknown, property: EntityProperty): readonly object[] {
  // most have none
  if (!anyWithin(value, isNoDate)) {
    return NONE;
  }

  const search: Search = { found: [], seen: new Set(), isJson: isJson(property) };
  look(value, search);

  return search.found;
}

/** What stands for a value: the value of a lazy scalar, the entity of a reference or of what `wrap()` gives, and else the value itself. */
export function unwrapped(value: object): unknown {
  return value instanceof ScalarReference
    ? value.unwrap()
    : value instanceof WrappedEntity
      ? value.toReference().unwrap()
      : Reference.unwrapReference(value);
}

/** Whether a type that stores lists may store what is in the value. */
export function isListed(value: unknown): value is Iterable<unknown> {
  return value instanceof Cursor || value instanceof Set || value instanceof Map;
}

/** Whether all of the value is stored: it is of MikroORM's type for JSON, or a type of the user's own stores it as JSON. */
export function isJson({ customType, columnTypes }: Pick<EntityProperty, 'customType' | 'columnTypes'>): boolean {
  return customType instanceof JsonType || (customType !== undefined && columnTypes?.some(type => JSON_COLUMN.test(type)) === true);
}

function look(given: unknown, search: Search, isInInstance = false): void {
  if (typeof given !== 'object' || given === null || search.seen.has(given)) {
    return;
  }

  search.seen.add(given);
  const value = unwrapped(given);

  if (value !== given) {
    look(value, search, isInInstance);
  } else if (Array.isArray(value) || isListed(value)) {
    [...value].forEach(item => look(item, search, isInInstance));
  } else if (Utils.isCollection<object>(value)) {
    search.found.push(...value.getItems(false));
  } else if (Utils.isEntity<object>(value)) {
    search.found.push(value);
  } else if (Utils.isPlainObject<object>(given)) {
    lookIn(given, search, isInInstance);
  } else if (isData(given) && (search.isJson || !isInInstance)) {
    // in JSON all is data. Elsewhere what is in an object of any class may lead to all that the application has
    lookIn(given, search, true);
  } else {
    // it may be elsewhere in the value too
    search.seen.delete(given);
  }
}

function lookIn(given: object, search: Search, isInInstance: boolean): void {
  for (const key in given) {
    look((given as Readonly<Record<string, unknown>>)[key], search, isInInstance);
  }
}

// an EntityManager leads to all that the application has, and MikroORM stores none
function isData(value: unknown): boolean {
  return !(value instanceof Date || value instanceof EntityManager || ArrayBuffer.isView(value));
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

const JSON_COLUMN = /^jsonb?\b/i;

const CHECKED: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'Date']);

const holders = new WeakMap<EntityMetadata, readonly EntityProperty[]>();

const NONE: readonly object[] = [];

interface Search {
  readonly found: object[];
  readonly seen: Set<object>;
  /** Whether an object of any class is data. */
  readonly isJson: boolean;
}
