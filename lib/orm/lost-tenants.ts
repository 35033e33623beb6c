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
export async function explainLostTenant(em: FailedEm, error: unknown): Promise<unknown> {
  const identity = hasSqlState(error, NOT_THERE) && !em.isInTransaction() ? tenantOfEm(em)?.identity : undefined;

  if (identity?.schemaOid === undefined) {
    return error;
  }

  const { identities } = TenantRules.of(em.config);
  const { schemaName } = identity;
  const mark = identities.markOf(identity);
  // whatever is found, the next work asks
  identities.outdate([schemaName]);

  try {
    await forLibrary(em.config, () => em.getDriver().execute(assertSchemasSql([{ identity, mark }])));
  } catch (asking) {
    return hasSqlState(asking, CHANGED) ? new TenantChangedError(schemaName, { cause: error }) : error;
  }

  return error;
}

interface FailedEm extends ScopedEm {
  readonly config: Configuration;
  isInTransaction(): boolean;
  getDriver(): { execute(sql: string): Promise<unknown> };
}
