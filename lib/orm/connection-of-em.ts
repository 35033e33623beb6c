import type { AbstractSqlConnection } from '@mikro-orm/postgresql';
import { forTenant } from '../connection/statements/sql-target.js';
import { guardKysely } from '../query/kysely-schemas.js';
import type { GuardContext } from '../scope/guard-context.js';
import { readInThisContext } from '../scope/read-in-scope.js';
import { tenantOfEm, type ScopedEm } from '../scope/tenant-of-em.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/**
 * The connection of an EntityManager that is used outside of its tenant's scope, as in the handler of an event. What is sent with it is for
 * the tenant of the EntityManager, as with `em.execute()`: the connection itself serves all tenants, and would take the path of the flow,
 * which is another tenant's, or the public schema.
 *
 * The connection does all of it: its state is in private fields. So a transaction is begun and ended as ever, for MikroORM too.
 */
export function connectionForTenant<C extends AbstractSqlConnection>(connection: C, em: ScopedEm, guard: GuardContext): C {
  const { rules } = guard;
  const tenant = tenantOfEm(em);
  const send = <Result>(fn: () => Result): Result => {
    tenantSchema('Raw SQL', em.schema, rules.scope, rules);

    return forTenant(rules, tenant, fn);
  };

  return new Proxy(connection, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);

      if (typeof value !== 'function' || key === 'constructor') {
        return value;
      }

      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args) as unknown;

      switch (key) {
        case 'execute':
        case 'executeDump':
          return async (...args: unknown[]) => send(() => call(...args));
        case 'stream':
          return (...args: unknown[]) => send(() => readInThisContext(call(...args) as AsyncGenerator<unknown>));
        case 'getClient':
          return () => guardKysely(call() as ReturnType<C['getClient']>, em, guard);
        default:
          return call;
      }
    },
  });
}
