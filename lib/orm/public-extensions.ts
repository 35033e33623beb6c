import type { Configuration } from '@mikro-orm/core';
import { withoutGuard } from '../connection/sql-target.js';

/**
 * Makes extensions of MikroORM that work on the public schema send their SQL as it is, in whatever scope they are called: what their
 * migrations name without a schema would else be a tenant's, and so would their history.
 *
 * Relies on MikroORM 7 taking them from `config.getExtension()`.
 */
export function keepFromScopes(config: Configuration, names: readonly string[]): void {
  const getExtension = config.getExtension.bind(config);
  const kept = new Map<object, object>();

  config.getExtension = <T>(name: string): T | undefined => {
    const extension = getExtension<T & object>(name);

    if (extension === undefined || !names.includes(name)) {
      return extension;
    }

    const known = (kept.get(extension) ?? keep(extension, config)) as T & object;
    kept.set(extension, known);

    return known;
  };
}

function keep<T extends object>(extension: T, config: Configuration): T {
  return new Proxy(extension, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);

      // on the object itself, as it may keep its state in private fields
      return typeof value === 'function' && key !== 'constructor'
        ? (...args: unknown[]) => withoutGuard(config, () => Reflect.apply(value, target, args) as unknown)
        : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}
