import { Utils, type RawQueryFragment } from '@mikro-orm/core';
import { sealedComment } from '../connection/statements/sealed-values.js';
import type { Others } from '../tenant/other-arguments.js';
import { CARRIED, carriedBy, carry, carryInFragment, carryInParams, holdsCarried, mayCarryAny } from '../scope/carried-tenants.js';

/**
 * Defines the methods on the class of query builders so that each first shows what it is given to `take`. These are the methods of
 * MikroORM's through which one query gets into another, as itself, as a native query, as a fragment, or in a condition or data.
 */
export function takeQueries(prototype: object, take: (query: never, given: readonly unknown[]) => void): void {
  const base = Object.getPrototypeOf(prototype) as Readonly<Record<string, Method>>;

  for (const name of TAKING) {
    Object.defineProperty(prototype, name, {
      value(this: never, ...args: unknown[]): unknown {
        if (mayCarryAny(args)) {
          take(this, args);
        }

        return (base[name] as Method).apply(this, args);
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
  const Native = query.constructor as new (of: NativePlatform) => NativeQuery;
  const Carrying = carryingClass(Native);

  // named for the prototype that it gives
  return () => Reflect.construct(Native, [platform], Carrying);
}

function carryingClass(Native: new (of: NativePlatform) => NativeQuery): new (of: NativePlatform) => NativeQuery {
  /** What every read or write calls, each with a function of its own: V8 makes no fast one of a function that stands for many. */
  class Carrying extends Native {
    override select(fields: Args<'select'>[0], ...rest: Others<Args<'select'>, 1>): unknown {
      if (holdsCarried(fields) || rest.length > 0) {
        carryOf(this, [fields, rest]);
      }

      return super.select(fields, ...rest);
    }

    override count(fields?: Args<'count'>[0], ...rest: Others<Args<'count'>, 1>): unknown {
      if (holdsCarried(fields) || rest.length > 0) {
        carryOf(this, [fields, rest]);
      }

      return super.count(fields, ...rest);
    }

    override from(tableName: Args<'from'>[0], options?: Args<'from'>[1], ...rest: Others<Args<'from'>, 2>): unknown {
      if (holdsCarried(tableName) || holdsCarried(options) || rest.length > 0) {
        carryOf(this, [tableName, options, rest]);
      }

      return super.from(tableName, options, ...rest);
    }

    override where(sql: Args<'where'>[0], params?: Args<'where'>[1], ...rest: Others<Args<'where'>, 2>): unknown {
      if (holdsCarried(sql) || holdsCarried(params) || rest.length > 0) {
        carryOf(this, [sql, params, rest]);
      }

      return super.where(sql, params, ...rest);
    }

    override insert(data: Args<'insert'>[0], ...rest: Others<Args<'insert'>, 1>): unknown {
      if (holdsCarried(data) || rest.length > 0) {
        carryOf(this, [data, rest]);
      }

      return super.insert(data, ...rest);
    }

    override update(data: Args<'update'>[0], ...rest: Others<Args<'update'>, 1>): unknown {
      if (holdsCarried(data) || rest.length > 0) {
        carryOf(this, [data, rest]);
      }

      return super.update(data, ...rest);
    }

    override onConflict(options: Args<'onConflict'>[0], ...rest: Others<Args<'onConflict'>, 1>): unknown {
      if (holdsCarried(options) || rest.length > 0) {
        carryOf(this, [options, rest]);
      }

      return super.onConflict(options, ...rest);
    }

    override returning(fields: Args<'returning'>[0], ...rest: Others<Args<'returning'>, 1>): unknown {
      if (holdsCarried(fields) || rest.length > 0) {
        carryOf(this, [fields, rest]);
      }

      return super.returning(fields, ...rest);
    }

    override toRaw(...args: Args<'toRaw'>): RawQueryFragment {
      return carryInFragment(super.toRaw(...args), this[CARRIED] ?? []);
    }

    override compile(...args: Args<'compile'>): Compiled {
      const compiled = super.compile(...args);
      const tenants = this[CARRIED];

      return tenants === undefined ? compiled : new CarryingText(compiled, tenants);
    }
  }

  const { prototype } = Carrying;
  // MikroORM's own, of which it makes copies
  Reflect.deleteProperty(prototype, 'constructor');
  defineRest(prototype, Native.prototype as NativeQuery);

  return Carrying;
}

/**
 * What a native query is compiled into. MikroORM's `raw()` takes it for a query of Kysely, and makes its fragment of the text and of
 * `parameters`, which MikroORM's own does not have.
 */
class CarryingText implements Compiled {
  readonly sql: string;
  readonly params: unknown[];
  readonly #tenants: readonly string[];

  constructor({ sql, params }: Compiled, tenants: readonly string[]) {
    this.sql = sql;
    this.params = params;
    this.#tenants = tenants;
  }

  // made only for who asks: every query is compiled. A copy, as a native query empties its own list when it is compiled again
  get parameters(): unknown[] {
    const parameters = [...this.params];
    carryInParams(parameters, this.#tenants);

    return parameters;
  }
}

function carryOf(query: NativeQuery, given: readonly unknown[]): void {
  carry(query, carriedBy(given));
}

function defineRest(prototype: object, base: NativeQuery): void {
  // not enumerable: MikroORM's copies would else have each as a property of their own
  const define = (name: string, value: (this: NativeQuery, ...args: unknown[]) => unknown): unknown =>
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true });

  for (const name of NATIVE) {
    const method = base[name] as Method;

    define(name, function (...args) {
      carryOf(this, args);

      return method.apply(this, args);
    });
  }

  for (const name of COMMENTING) {
    const method = base[name] as Method;

    define(name, function (comment) {
      return Reflect.apply(method, this, [Utils.asArray(comment).map(sealedComment)]);
    });
  }
}

/**
 * The methods of a query builder that take queries, beside those that its class overrides. Those that are not named here
 * come to one of these.
 */
const TAKING = [
  'addSelect',
  'distinctOn',
  'insertFrom',
  'delete',
  'joinAndSelect',
  'withSubQuery',
  'andOrderBy',
  'onConflict',
  'returning',
  'with',
  'withRecursive',
  'union',
  'unionAll',
] as const;

/** The methods of a native query that take others, beside those that its class overrides. */
const NATIVE = ['into', 'having', 'groupBy', 'join', 'orderBy', 'with', 'withRecursive', 'insertSelect', 'distinctOn'] as const;

/** What of a native query writes comments. */
const COMMENTING = ['comment', 'hintComment'] as const;

type Args<Name extends 'select' | 'count' | 'from' | 'where' | 'insert' | 'update' | 'onConflict' | 'returning' | 'toRaw' | 'compile'> =
  Parameters<NativeQuery[Name]>;

type Method = (...args: unknown[]) => unknown;

interface NativePlatform {
  createNativeQueryBuilder(): NativeQuery;
}

interface NativeQuery extends Record<(typeof NATIVE | typeof COMMENTING)[number], unknown> {
  readonly [CARRIED]?: readonly string[];
  select(fields: unknown, ...rest: unknown[]): unknown;
  count(fields?: unknown, ...rest: unknown[]): unknown;
  from(tableName: unknown, options?: unknown, ...rest: unknown[]): unknown;
  where(sql: unknown, params?: unknown, ...rest: unknown[]): unknown;
  insert(data: unknown, ...rest: unknown[]): unknown;
  update(data: unknown, ...rest: unknown[]): unknown;
  onConflict(options: unknown, ...rest: unknown[]): unknown;
  returning(fields: unknown, ...rest: unknown[]): unknown;
  toRaw(...args: unknown[]): RawQueryFragment;
  compile(...args: unknown[]): Compiled;
}

interface Compiled {
  readonly sql: string;
  readonly params: unknown[];
}
