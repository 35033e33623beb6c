import { helper, isRaw, RawQueryFragment, Reference, Utils } from '@mikro-orm/core';
import { CrossTenantError } from '../errors/index.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { GUARDED } from './guarded-method.js';
import { anyInObject } from './plain-values.js';

/**
 * Where a query that was built says for which tenants. A symbol: no data from outside can have it, and MikroORM's own copies of a native
 * query keep it.
 */
export const CARRIED: unique symbol = Symbol('the tenants that a query was built for');

/**
 * The tenants that the queries, native queries and fragments in the values were built for, however deep they are in conditions or data. A fragment was
 * built for those of the entities in it too.
 */
export function carriedBy(given: readonly unknown[]): readonly string[] {
  let found: Found | undefined;

  for (const value of given) {
    // most calls have only texts and numbers, however deep, and nothing is allocated for them
    if (holdsCarried(value)) {
      found ??= { tenants: new Set(), seen: new Set() };
      collect(value, found);
    }
  }

  return found === undefined || found.tenants.size === 0 ? NONE : [...found.tenants];
}

/** Whether there is a query, a native query or a fragment in the value. */
export function holdsCarried(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? anyInObject(value, isCarrier) : typeof value === 'symbol';
}

/** Whether the value is more than a text, a number or the like, and has to be looked at by `carriedBy`. */
export function mayCarry(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'symbol';
}

/** The same of any of the values. */
export function mayCarryAny(given: readonly unknown[]): boolean {
  // the values of all rows that are written come here
  for (let index = 0; index < given.length; index += 1) {
    const value = given[index];

    if ((typeof value === 'object' && value !== null) || typeof value === 'symbol') {
      return true;
    }
  }

  return false;
}

/**
 * Refuses what was built for another tenant than `own`.
 *
 * @throws CrossTenantError `CROSS_TENANT`
 */
export function refuseCarried(given: readonly unknown[], own: string | undefined): void {
  if (own !== undefined) {
    refuseTenants(carriedBy(given), own);
  }
}

/** @throws CrossTenantError `CROSS_TENANT` */
export function refuseTenants(carried: Iterable<string>, own: string | undefined): void {
  for (const other of carried) {
    if (own !== undefined && other !== own) {
      throw CrossTenantError.givenQuery([own, other]);
    }
  }
}

/** Writes down on a native query for which tenants it was built. */
export function carry<Query extends object>(query: Query, tenants: readonly string[]): Query {
  if (tenants.length > 0) {
    const before = (query as Carrier)[CARRIED];

    if (before === undefined || !tenants.every(tenant => before.includes(tenant))) {
      (query as WritableCarrier)[CARRIED] = before === undefined ? tenants : [...new Set([...before, ...tenants])];
    }
  }

  return query;
}

/** The fragment, and what is made of it, for these tenants. */
export function carryInFragment(fragment: RawQueryFragment, tenants: readonly string[]): RawQueryFragment {
  return tenants.length === 0 ? fragment : new CarryingFragment(fragment.sql, fragment.params, tenants);
}

/**
 * Writes down of the parameters of a query that has become text for which tenants it was built. MikroORM's `raw()` makes its fragment of a query
 * of the text and just these parameters.
 */
export function carryInParams(params: readonly unknown[], tenants: readonly string[]): void {
  if (tenants.length > 0) {
    ofParams.set(params, tenants);
  }
}

/** Makes fragments with an alias carry what those without it do. MikroORM's `as` copies the parameters into a fragment of its own. */
export function carryInFragments(): void {
  const { prototype } = RawQueryFragment;
  const own = Object.getOwnPropertyDescriptor(prototype, 'as')?.value as RawQueryFragment['as'] | undefined;

  // where there is none, no ORM starts
  if (own === undefined || GUARDED in own) {
    return;
  }

  const keeping = function (this: RawQueryFragment, ...args: Parameters<RawQueryFragment['as']>): RawQueryFragment {
    return carryInFragment(own.apply(this, args), (this as Carrier)[CARRIED] ?? ofParams.get(this.params) ?? NONE);
  };
  prototype.as = Object.assign(keeping, { [GUARDED]: own });
}

class CarryingFragment extends RawQueryFragment {
  readonly #tenants: readonly string[];

  constructor(sql: string, params: unknown[], tenants: readonly string[]) {
    super(sql, params);
    this.#tenants = tenants;
  }

  get [CARRIED](): readonly string[] {
    return this.#tenants;
  }
}

function collect(given: unknown, found: Found, isInFragment = false): void {
  // a fragment that is the key of a condition
  const value = typeof given === 'symbol' ? RawQueryFragment.getKnownFragment(given) : given;

  if (typeof value !== 'object' || value === null || found.seen.has(value)) {
    return;
  }

  found.seen.add(value);

  // where MikroORM takes a list, it takes a set
  if (Array.isArray(value) || value instanceof Set) {
    value.forEach(item => collect(item, found, isInFragment));
  } else if (isInFragment && isEntityOrReference(value)) {
    collectEntity(Reference.unwrapReference(value), found);
  } else if (Utils.isPlainObject(value)) {
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === 'symbol') {
        collect(key, found);
      }

      collect((value as Record<PropertyKey, unknown>)[key], found, isInFragment);
    }
  } else {
    (value as Carrier)[CARRIED]?.forEach(tenant => found.tenants.add(tenant));

    if (isRaw(value)) {
      ofParams.get(value.params)?.forEach(tenant => found.tenants.add(tenant));
      value.params.forEach(param => collect(param, found, true));
    }
  }
}

// of an entity in a fragment MikroORM writes the key, or in an object all that it knows of it
function collectEntity(entity: object, { tenants }: Found): void {
  const { __meta: meta, __schema: schema } = helper(entity);

  if (schema !== undefined && isTenantEntity(meta.root)) {
    tenants.add(schema);
  }
}

function isEntityOrReference(value: object): boolean {
  return Utils.isEntity(value, true);
}

/** Whether `collect` has anything to look at in what is neither a value nor a list or plain object of such. */
function isCarrier(leaf: object): boolean {
  return (leaf as Carrier)[CARRIED] !== undefined || isRaw(leaf) || leaf instanceof Set;
}

const NONE: readonly string[] = [];

/** Said beside the parameters: they are compared as values, and are what the database is given. */
const ofParams = new WeakMap<readonly unknown[], readonly string[]>();

interface Found {
  readonly tenants: Set<string>;
  readonly seen: Set<object>;
}

interface Carrier {
  readonly [CARRIED]?: readonly string[];
}

interface WritableCarrier {
  [CARRIED]?: readonly string[];
}
