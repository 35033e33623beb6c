import { withoutGuard } from '../connection/statements/sql-target.js';
import { TenantDatabase } from '../database/tenant-database.js';
import { TenantChangedError } from '../errors/index.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { refuseOtherSchemas } from './refuse-other-schemas.js';
import { refuseTenantTables } from './refuse-tenant-tables.js';

/**
 * Makes extensions of MikroORM that work on the public schema send their SQL as it is, in whatever scope they are called: what their
 * migrations name without a schema would else be a tenant's, and so would their history.
 * In a tenant's scope they refuse the schema of another tenant. In no scope do they make, change or drop the tables of a tenant.
 *
 * Relies on MikroORM 7 taking them from `config.getExtension()`.
 */
export function guardExtensions(rules: TenantRules, names: readonly string[]): void {
  const { config } = rules;
  const getExtension = config.getExtension.bind(config);
  const guarded = new Map<object, object>();

  config.getExtension = <T>(name: string): T | undefined => {
    const extension = getExtension<T & object>(name);

    if (extension === undefined || !names.includes(name)) {
      return extension;
    }

    const known = (guarded.get(extension) ?? guardExtension(extension, name, rules)) as T & object;
    guarded.set(extension, known);

    return known;
  };
}

function guardExtension<T extends object>(extension: T, extensionName: string, rules: TenantRules): T {
  return new Proxy(extension, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);

      return typeof value === 'function' && key !== 'constructor'
        ? guardedMethod(value as Method, { target, name: String(key), extensionName, rules })
        : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}

function guardedMethod(method: Method, { target, name, extensionName, rules }: MethodOf): Method {
  const call = (args: readonly unknown[]): unknown => {
    // on the object itself, because it may keep its state in private fields
    const result: unknown = withoutGuard(rules.config, () => Reflect.apply(method, target, args));

    // the history of a migrator takes schema names too
    return name === 'getStorage' ? guardExtension(result as object, name, rules) : result;
  };

  if (method.constructor.name !== 'AsyncFunction') {
    return (...args) => {
      refuseOtherSchemas(name, args, rules);
      refuseTenantTables(extensionName, name, args, rules);

      return call(args);
    };
  }

  // a method that returns a promise must reject and not throw
  return async (...args) => {
    const own = refuseOtherSchemas(name, args, rules);

    // SQL without the guard is not checked when it is sent
    if (own !== undefined && !(await TenantDatabase.of(rules.config).tenants.isCurrent(own))) {
      throw new TenantChangedError(own.schemaName);
    }

    refuseTenantTables(extensionName, name, args, rules);

    return call(args);
  };
}

type Method = (...args: unknown[]) => unknown;

interface MethodOf {
  readonly target: object;
  readonly name: string;
  readonly extensionName: string;
  readonly rules: TenantRules;
}
