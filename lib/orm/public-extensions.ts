import { withoutGuard } from '../connection/sql-target.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { refuseOtherSchemas } from './refuse-other-schemas.js';

/**
 * Makes extensions of MikroORM that work on the public schema send their SQL as it is, in whatever scope they are called: what their
 * migrations name without a schema would else be a tenant's, and so would their history.
 * In a tenant's scope they refuse the schema of another tenant.
 *
 * Relies on MikroORM 7 taking them from `config.getExtension()`.
 */
export function keepFromScopes(rules: TenantRules, names: readonly string[]): void {
  const { config } = rules;
  const getExtension = config.getExtension.bind(config);
  const kept = new Map<object, object>();

  config.getExtension = <T>(name: string): T | undefined => {
    const extension = getExtension<T & object>(name);

    if (extension === undefined || !names.includes(name)) {
      return extension;
    }

    const known = (kept.get(extension) ?? keep(extension, rules)) as T & object;
    kept.set(extension, known);

    return known;
  };
}

function keep<T extends object>(extension: T, rules: TenantRules): T {
  return new Proxy(extension, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);

      return typeof value === 'function' && key !== 'constructor'
        ? keptMethod(value as Method, { target, name: String(key), rules })
        : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

function keptMethod(method: Method, { target, name, rules }: MethodOf): Method {
  const call = (args: readonly unknown[]): unknown => {
    refuseOtherSchemas(name, args, rules);
    // on the object itself, because it may keep its state in private fields
    const result: unknown = withoutGuard(rules.config, () => Reflect.apply(method, target, args));

    // the history of a migrator takes schema names too
    return name === 'getStorage' ? keep(result as object, rules) : result;
  };

  // a method that returns a promise must reject and not throw
  return method.constructor.name === 'AsyncFunction' ? async (...args) => call(args) : (...args) => call(args);
}

type Method = (...args: unknown[]) => unknown;

interface MethodOf {
  readonly target: object;
  readonly name: string;
  readonly rules: TenantRules;
}
