import { isRaw, type EntityMetadata } from '@mikro-orm/core';
import { sqlTarget } from '../connection/statements/sql-target.js';
import { refuseCarried } from '../scope/carried-tenants.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';
import { refuseForeignEntities } from './foreign-entities.js';

/**
 * Makes the expression of a virtual entity check the query that it returns. MikroORM turns the query into text, and reads from that: a query that
 * was built for one tenant and kept would answer every other.
 */
export function guardExpression(meta: EntityMetadata): void {
  const { expression } = meta as { readonly expression?: unknown };

  if (meta.virtual !== true || typeof expression !== 'function' || guarded.has(expression)) {
    return;
  }

  const guardedExpression = (...args: unknown[]): unknown => {
    const result: unknown = Reflect.apply(expression, meta, args);
    const em = args[0] as ExpressionEm | undefined;

    if (result instanceof Promise) {
      return result.then(each => refuseForeignResult(each, em));
    }

    return refuseForeignResult(result, em);
  };

  guarded.add(guardedExpression);
  (meta as { expression: unknown }).expression = guardedExpression;
}

/** Returns the query, or the rows, that the expression has returned. @throws CrossTenantError `CROSS_TENANT` */
function refuseForeignResult(result: unknown, em: ExpressionEm | undefined): unknown {
  // the class may be an entity of an ORM without tenants too
  const rules = em && TenantRules.find(em.config);

  if (rules !== undefined) {
    // for a stream MikroORM makes an EntityManager that does not know its tenant
    const target = sqlTarget(rules.config);
    const own =
      rules.scope?.kind === 'tenant' ? rules.scope.schemaName : (em?.schema ?? (target.kind === 'tenant' ? target.schemaName : undefined));
    refuseCarried([result], own === rules.publicSchema ? undefined : own);

    // what gives its rows one by one gives them once
    const rows = isRaw(result) ? [result] : isIterable(result) ? [...result] : undefined;

    if (rows !== undefined) {
      refuseForeignEntities(rows, own, { rules, scope: rules.scope, values: 'JSON' });

      return isRaw(result) ? result : rows;
    }
  }

  return result;
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

const guarded = new WeakSet<object>();

interface ExpressionEm extends ScopedEm {
  readonly config: TenantRules['config'];
}
