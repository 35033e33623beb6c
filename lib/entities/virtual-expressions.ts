import type { EntityMetadata } from '@mikro-orm/core';
import { sqlTarget } from '../connection/sql-target.js';
import { refuseCarried } from '../scope/carried-tenants.js';
import type { ScopedEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';

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
    refuseForeignQuery(result, args[0] as ExpressionEm | undefined);

    return result;
  };

  guarded.add(guardedExpression);
  (meta as { expression: unknown }).expression = guardedExpression;
}

/** @throws CrossTenantError `CROSS_TENANT` */
function refuseForeignQuery(query: unknown, em: ExpressionEm | undefined): void {
  // the class may be an entity of an ORM without tenants too
  const rules = em && TenantRules.find(em.config);

  if (rules !== undefined) {
    // for a stream MikroORM makes an EntityManager that does not know its tenant
    const target = sqlTarget(rules.config);
    const own =
      rules.scope?.kind === 'tenant' ? rules.scope.schemaName : (em?.schema ?? (target.kind === 'tenant' ? target.schemaName : undefined));
    refuseCarried([query], own === rules.publicSchema ? undefined : own);
  }
}

const guarded = new WeakSet<object>();

interface ExpressionEm extends ScopedEm {
  readonly config: TenantRules['config'];
}
