/**
 * The Kysely instance with a guard below its plugins. Every instance that Kysely makes of it, by `withoutPlugins()` as by `transaction()`,
 * has the guard too: each takes over the executor, or one that the executor makes.
 *
 * Relies on Kysely making an instance with a plugin of what its executor's `withPlugin` returns: its constructors take nothing else.
 */
export function guardBelowPlugins<K extends GuardableKysely>(kysely: K, guard: KyselyGuard): K {
  const executor = kysely.getExecutor();
  const guarded = guardExecutor(executor, guard);
  Object.defineProperty(executor, 'withPlugin', { value: () => guarded, configurable: true });

  try {
    return kysely.withPlugin(NO_PLUGIN) as K;
  } finally {
    Reflect.deleteProperty(executor, 'withPlugin');
  }
}

function guardExecutor(executor: KyselyExecutor, guard: KyselyGuard): KyselyExecutor {
  return new Proxy(executor, {
    // Kysely takes what an executor of its own class wraps out of it, which is what is below the guard
    getPrototypeOf: () => Object.prototype,
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);

      if (typeof value !== 'function') {
        return value;
      }

      // on the executor itself, as it keeps its state in private fields
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args) as unknown;

      if (key === 'transformQuery') {
        return (node: object, queryId: object) => guard.transform(node, queryId, given => call(given, queryId) as object);
      }

      if (key === 'executeQuery') {
        return (query: CompiledQuery, ...rest: unknown[]) => {
          guard.check(query.queryId);

          return guard.run(() => call(query, ...rest));
        };
      }

      if (key === 'stream') {
        return (query: CompiledQuery, ...rest: unknown[]) => {
          guard.check(query.queryId);

          return guard.stream(() => call(query, ...rest) as AsyncGenerator<unknown>);
        };
      }

      return String(key).startsWith('with') ? (...args: unknown[]) => guardExecutor(call(...args) as KyselyExecutor, guard) : call;
    },
  });
}

const NO_PLUGIN = { transformQuery: ({ node }: { readonly node: unknown }) => node, transformResult: async () => undefined };

/** What a guard does with each query. */
export interface KyselyGuard {
  /** Transforms a query as it was built; `plugins` does what the plugins of the instance do. */
  transform(node: object, queryId: object, plugins: (node: object) => object): object;

  /** Throws unless a query that is compiled may be run by this instance. */
  check(queryId: object): void;

  /** Runs a query for the tenant of the instance. One that no builder has made, such as `CompiledQuery.raw()`, does not say whose it is. */
  run<Result>(send: () => Result): Result;

  stream(send: () => AsyncGenerator<unknown>): AsyncGenerator<unknown>;
}

interface CompiledQuery {
  readonly queryId: object;
}

/** The part of Kysely's query executor that is used here. */
interface KyselyExecutor {
  transformQuery(node: any, queryId: any): any;
}

/** The parts of a Kysely instance, or of its transaction, that are used here. */
export interface GuardableKysely {
  getExecutor(): KyselyExecutor;
  // `any`: Kysely has a type for each kind of node and result, and takes the one it gave
  withPlugin(plugin: { transformQuery(args: any): any; transformResult(args: any): Promise<any> }): GuardableKysely;
  withoutPlugins(): GuardableKysely;
  withSchema(schema: string): GuardableKysely;
}
