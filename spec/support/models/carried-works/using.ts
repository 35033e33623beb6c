import { helper, Utils } from '@mikro-orm/core';

/** What a use is given, in the scope of the other tenant than the thing's. */
export interface Using {
  readonly em: any;
  /** What was carried. */
  readonly thing: any;
  /** The first of the keys that only the tenant's rows have. */
  readonly key: number;
  /** By the seed. */
  pick<T>(values: readonly T[]): T;
  /** What is added to a key or a text that has to be new. */
  next(): number;
}

export type Use = (using: Using) => unknown;

export const FIELDS = [
  'mentor',
  'friends',
  'pupils',
  'pets',
  'country',
  'home',
  'homes',
  'house',
  'data',
  'extra',
  'born',
  'changed',
  'tags',
  'name',
  'id',
  'email',
  'secret',
  'comments',
  'passport',
  'version',
  'age',
  'note',
  'visited',
  'friendOf',
  'petCount',
  'home.neighbour',
  'home.more',
  'house.neighbour',
] as const;

/** The thing as the value of any property. */
export const given = (u: Using): any => {
  const field = u.pick(FIELDS);

  return { [field]: valueOf(field, u.thing) };
};

/** MikroORM loops for ever over what it takes for an array that has no length. */
export const valueOf = (field: string, value: unknown): unknown => (field === 'tags' && !Array.isArray(value) ? [value] : value);

export const dataOf = (u: Using): any => ({
  id: u.key + u.next(),
  name: 'x',
  email: `x${u.next()}`,
  ...given(u),
});

/** An alias of what is neither a query nor a class has no metadata, and MikroORM fails in a promise that nobody awaits. */
export const isQuery = (value: any): boolean => typeof value?.getNativeQuery === 'function' || typeof value?.toRaw === 'function';

export const plain = (value: any): any => (Utils.isEntity(value) ? [helper(value).__schema, helper(value).getPrimaryKey()] : value);

export const where = (u: Using): any =>
  u.pick([
    u.thing,
    { ...given(u) },
    { $or: [{ ...given(u) }] },
    { mentor: { ...given(u) } },
    { friends: { $some: { mentor: u.thing } } },
    { home: { neighbour: u.thing } },
    [u.thing],
    { id: { $in: u.thing } },
    { pets: { owner: u.thing } },
    { $and: [{ $not: { mentor: u.thing } }] },
  ]);

/** `signal` is left out: given what is none, MikroORM waits for ever. */
const SLOTS = [
  'populateWhere',
  'populateFilter',
  'unionWhere',
  'having',
  'orderBy',
  'populateOrderBy',
  'groupBy',
  'before',
  'after',
  'filters',
  'em',
  'ctx',
  'comments',
  'hintComments',
  'indexHint',
  'collation',
  'loggerContext',
  'logging',
  'cache',
  'fields',
  'exclude',
  'populate',
  'populateHints',
  'lockTableAliases',
  'using',
  'connectionType',
  'flags',
  'schema',
  'strategy',
] as const;

export const optionsOf = (u: Using): any => ({
  populate: ['friends', 'mentor'],
  ...(u.pick([true, false]) ? { strategy: u.pick(['joined', 'select-in', 'balanced']) } : {}),
  [u.pick(SLOTS)]: u.pick([u.thing, [u.thing], { ...given(u) }, { friends: { mentor: u.thing } }, { [u.thing]: 'asc' }]),
  ...(u.pick([1, 2, 3]) === 1 && typeof u.thing === 'object' && u.thing !== null && Utils.isPlainObject(u.thing) ? u.thing : {}),
});

export function set(one: any, field: string, thing: any): void {
  const value = valueOf(field, thing);
  const [first, second] = field.split('.') as [string, string | undefined];

  if (second === undefined) {
    if (value !== null && typeof value === 'object' && one[first]?.set !== undefined && Utils.isCollection(one[first])) {
      one[first].set(Array.isArray(value) ? value : [value]);
    } else {
      one[first] = value;
    }
  } else {
    (one[first] ??= {})[second] = value;
  }
}
