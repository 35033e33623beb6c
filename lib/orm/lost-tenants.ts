import type { Configuration } from '@mikro-orm/core';
import { assertSchemasSql, CHANGED, NOT_THERE } from '../connection/check/schema-check-sql.js';
import { forLibrary } from '../connection/statements/sql-target.js';
import { TenantChangedError } from '../errors/index.js';
import { hasSqlState } from '../postgres/sql-state.js';
import { tenantOfEm, type ScopedEm } from '../scope/tenant-of-em.js';
import { TenantRules } from '../scope/tenant-rules.js';

/**
 * What a transaction has failed of: where PostgreSQL did not find a table or a schema, because the tenant of the EntityManager was renamed or dropped
 * meanwhile, it is told as that. It is asked once the transaction is rolled back, as one that has failed answers nothing.
 */
export async function explainLostTenant(context: () => FailedEm, error: unknown): Promise<unknown> {
  if (!hasSqlState(error, NOT_THERE)) {
    return error;
  }

  const em = context();
  const identity = em.isInTransaction() ? undefined : tenantOfEm(em)?.identity;

  if (identity?.schemaOid === undefined) {
    return error;
  }

  const { identities } = TenantRules.of(em.config);
  const { schemaName } = identity;

  try {
    const held = assertSchemasSql([{ identity, mark: identities.markOf(identity) }]);
    await forLibrary(em.config, () => em.getDriver().execute(held));

    return error;
  } catch (asking) {
    if (!hasSqlState(asking, CHANGED)) {
      return error;
    }

    // it is asked for again by the next work
    identities.outdate([schemaName]);

    return new TenantChangedError(schemaName, { cause: error });
  }
}

interface FailedEm extends ScopedEm {
  readonly config: Configuration;
  isInTransaction(): boolean;
  getDriver(): { execute(sql: string): Promise<unknown> };
}
