import type { Configuration } from '@mikro-orm/core';
import { BasePostgreSqlEntityManager, EntityManager, PostgreSqlDriver } from '@mikro-orm/postgresql';

/** The class of EntityManager that MikroORM's own drivers make where the config names none. */
export function entityManagerOf(driver: unknown): object {
  const isPostgreSql = driver === PostgreSqlDriver || (typeof driver === 'function' && driver.prototype instanceof PostgreSqlDriver);

  return isPostgreSql ? EntityManager : BasePostgreSqlEntityManager;
}

/**
 * Has objects of the guarded class give the class that it extends as their `constructor`, which is MikroORM's or the user's. Code that finds an
 * EntityManager by its class, as dependency injection does, has only that one to ask for.
 *
 * Relies on MikroORM making a fork, and nothing else, by `new em.constructor(…)`. What is returned runs MikroORM's `fork()`, which gets the
 * guarded class. If anything else comes of it, the fork is refused: it would be without guards.
 *
 * @throws TypeError
 */
export function presentAs<Guarded extends object>(GuardedClass: Class<Guarded>, Base: object): ForkGuarded {
  // a fork is made without `await`, so nobody else reads `constructor` meanwhile
  let forks = 0;
  Object.defineProperty(GuardedClass.prototype, 'constructor', {
    configurable: true,
    get(this: { readonly config?: Configuration }) {
      return forks > 0 || isForkedByOther(this.config) ? GuardedClass : Base;
    },
  });

  return makeFork => {
    forks++;

    try {
      const fork = makeFork();

      if (!(fork instanceof GuardedClass)) {
        throw new TypeError(`em.fork() has made ${fork.constructor.name}, which has no guards. Return what \`super.fork()\` returns.`);
      }

      return fork;
    } finally {
      forks--;
    }
  };
}

/** Makes what a config says of the global context differ from what MikroORM's `fork()` sets meanwhile. */
export function markGlobalContext(config: Configuration): void {
  if (config.get('allowGlobalContext')) {
    config.set('allowGlobalContext', ALLOWED as boolean);
  }
}

// in a scope, an EntityManager without guards finds that of the scope if both have one name, and forks it. `fork()` sets this to `true` meanwhile
function isForkedByOther(config: Configuration | undefined): boolean {
  try {
    return config?.get('allowGlobalContext') === true;
  } catch {
    // a copy, as test runners make for what they print, lacks what a class keeps to itself
    return false;
  }
}

/** Is true to MikroORM, which asks for nothing but that, and is not `true`. */
const ALLOWED: unknown = Object(true);

type Class<Instance> = abstract new (...args: any[]) => Instance;

type ForkGuarded = <Fork extends object>(makeFork: () => Fork) => Fork;
