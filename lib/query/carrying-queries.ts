import { Utils, type RawQueryFragment } from '@mikro-orm/core';
import { sealedComment } from '../connection/sealed-values.js';
import { CARRIED, carriedBy, carry, carryInFragment, mayCarryAny } from '../scope/carried-tenants.js';

/**
 * Defines the methods on the class of query builders so that each first shows what it is given to `take`. These are the methods of
 * MikroORM's through which one query gets into another, as itself, as a native query, as a fragment, or in a condition or data.
 */
export function takeQueries(prototype: object, take: (query: never, given: readonly unknown[]) => void): void {
  const base = Object.getPrototypeOf(prototype) as Readonly<Record<string, unknown>>;

  for (const name of TAKING) {
    const own = Object.hasOwn(prototype, name) ? (Reflect.get(prototype, name) as Method) : undefined;

    Object.defineProperty(prototype, name, {
      value(this: never, ...args: unknown[]): unknown {
        if (mayCarryAny(args)) {
          take(this, args);
        }

        return (own ?? (base[name] as Method)).apply(this, args);
      },
      configurable: true,
      writable: true,
    });
  }
}

/**
 * Makes the platform's native queries carry the tenants of all that they are made of. MikroORM compiles much of it into text at once, which
 * no longer tells. The comments of a query become text that is a comment whatever it is.
 */
export function carryInNativeQueries(platform: object): void {
  const open = platform as NativePlatform;
  const create = open.createNativeQueryBuilder.bind(open);
  let make: (() => NativeQuery) | undefined;

  // an object whose prototype is changed once it is made is slow for good, so that is done for the first one alone
  open.createNativeQueryBuilder = () => {
    make ??= makerOf(create(), open);

    return make();
  };
}

/** Makes native queries of the class of this one that carry. Relies on the platform being all that MikroORM makes one of. */
function makerOf(query: NativeQuery, platform: NativePlatform): () => NativeQuery {
  // named for the prototype that it gives
  const Carrying = function () {} as unknown as new () => NativeQuery;
  Carrying.prototype = carryingPrototype(Object.getPrototypeOf(query) as NativeQuery);

  return () => Reflect.construct(query.constructor as new (of: NativePlatform) => NativeQuery, [platform], Carrying);
}

function carryingPrototype(base: NativeQuery): object {
  const prototype = Object.create(base) as object;
  // not enumerable: MikroORM's copies would else have each as a property of their own
  const define = (name: string, value: (this: NativeQuery, ...args: unknown[]) => unknown): unknown =>
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true });

  for (const name of NATIVE) {
    const method = base[name] as Method;

    define(name, function (...args) {
      if (mayCarryAny(args)) {
        carry(this, carriedBy(args));
      }

      return method.apply(this, args);
    });
  }

  for (const name of COMMENTING) {
    const method = base[name] as Method;

    define(name, function (comment) {
      return Reflect.apply(method, this, [Utils.asArray(comment).map(sealedComment)]);
    });
  }

  const { toRaw } = base;

  define('toRaw', function (...args) {
    return carryInFragment(Reflect.apply(toRaw, this, args), this[CARRIED] ?? []);
  });

  return prototype;
}

/** The methods of a query builder that take queries. Those that are not named here come to one of these. */
const TAKING = [
  'select',
  'addSelect',
  'distinctOn',
  'insert',
  'insertFrom',
  'update',
  'delete',
  'count',
  'joinReference',
  'joinAndSelect',
  'withSubQuery',
  'where',
  'orderBy',
  'andOrderBy',
  'groupBy',
  'having',
  'onConflict',
  'merge',
  'returning',
  'populate',
  'from',
  'with',
  'withRecursive',
  'union',
  'unionAll',
] as const;

/** The same of a native query. */
const NATIVE = [
  'select',
  'count',
  'into',
  'from',
  'where',
  'having',
  'groupBy',
  'join',
  'orderBy',
  'with',
  'withRecursive',
  'insert',
  'insertSelect',
  'update',
  'distinctOn',
  'onConflict',
  'returning',
] as const;

/** What of a native query writes comments. */
const COMMENTING = ['comment', 'hintComment'] as const;

type Method = (...args: unknown[]) => unknown;

interface NativePlatform {
  createNativeQueryBuilder(): NativeQuery;
}

interface NativeQuery extends Record<(typeof NATIVE | typeof COMMENTING)[number], unknown> {
  readonly [CARRIED]?: readonly string[];
  readonly toRaw: (this: NativeQuery) => RawQueryFragment;
}
