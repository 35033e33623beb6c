/**
 * The Kysely instance with a guard below its plugins. Every instance that Kysely makes of it, by `withoutPlugins()` as by `transaction()`,
 * has the guard too: each takes over the executor, or one that the executor makes.
 *
 * Relies on Kysely making an instance with a plugin of what its executor's `withPlugin` returns: its constructors take nothing else.
 */
export function guardBelowPlugins<K extends GuardableKysely>(kysely: K, guard: KyselyGuard): K {
  let taking = takingOnes.get(kysely);

  if (taking === undefined) {
    taking = takingOf(kysely);
    takingOnes.set(kysely, taking);
  }

  const plugin: TakenPlugin = { ...NO_PLUGIN, executor: guardExecutor(kysely.getExecutor(), guard) };

  return taking.withPlugin(plugin) as K;
}

/** The instance that has no executor of its own, and with a plugin has the plugin's. One is made for all guards of an instance. */
function takingOf(kysely: GuardableKysely): GuardableKysely {
  const executor = kysely.getExecutor();
  const taking = { withPlugin: (plugin: TakenPlugin) => plugin.executor };
  Object.defineProperty(executor, 'withPlugin', { value: () => taking, configurable: true });

  try {
    return kysely.withPlugin(NO_PLUGIN);
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

      if (key === 'compileQuery') {
        return (...args: unknown[]) => guard.compiled(call(...args) as CompiledQuery);
      }

      if (key === 'executeQuery') {
        return (query: CompiledQuery, ...rest: unknown[]) => {
          guard.check(query);

          return guard.run(() => call(query, ...rest));
        };
      }

      if (key === 'stream') {
        return (query: CompiledQuery, ...rest: unknown[]) => {
          guard.check(query);

          return guard.stream(() => call(query, ...rest) as AsyncGenerator<unknown>);
        };
      }

      return String(key).startsWith('with') ? (...args: unknown[]) => guardExecutor(call(...args) as KyselyExecutor, guard) : call;
    },
  });
}

const NO_PLUGIN: Plugin = { transformQuery: ({ node }) => node as unknown, transformResult: async () => undefined };

const takingOnes = new WeakMap<GuardableKysely, GuardableKysely>();

/** What a guard does with each query. */
export interface KyselyGuard {
  /** Transforms a query as it was built; `plugins` does what the plugins of the instance do. */
  transform(node: object, queryId: object, plugins: (node: object) => object): object;

  /** Is shown each query that has become text. MikroORM's `raw()` makes its fragment of a query of the text and the parameters. */
  compiled(query: CompiledQuery): CompiledQuery;

  /** Throws unless a query that is compiled may be run by this instance. */
  check(query: CompiledQuery): void;

  /** Runs a query for the tenant of the instance. One that no builder has made, such as `CompiledQuery.raw()`, does not say whose it is. */
  run<Result>(send: () => Result): Result;

  stream(send: () => AsyncGenerator<unknown>): AsyncGenerator<unknown>;
}

interface TakenPlugin extends Plugin {
  readonly executor: KyselyExecutor;
}

/** What is read of a query that is compiled. */
export interface CompiledQuery {
  readonly parameters: readonly unknown[];
  readonly queryId: object;
}

/** The part of Kysely's query executor that is used here. */
export interface KyselyExecutor {
  transformQuery(node: any, queryId: any): any;
}

// `any`: Kysely has a type for each kind of node and result, and takes the one it gave
interface Plugin {
  transformQuery(args: any): any;
  transformResult(args: any): Promise<any>;
}

/** The parts of a Kysely instance, or of its transaction, that are used here. */
export interface GuardableKysely {
  getExecutor(): KyselyExecutor;
  withPlugin(plugin: Plugin): GuardableKysely;
  withoutPlugins(): GuardableKysely;
  withSchema(schema: string): GuardableKysely;
}
