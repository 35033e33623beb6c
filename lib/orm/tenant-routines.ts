import type { EntityMetadata, Routine, Transaction } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/** Whether the function or procedure is in each tenant's schema: one with `schema: '*'`. Any other is in its own. */
export function isOfTenants(routine: Routine): boolean {
  return isTenantEntity(routine as Pick<EntityMetadata, 'schema'>);
}

/**
 * Calls it in the schema of the EntityManager's tenant. MikroORM would write `*` as its schema.
 *
 * Relies on `Connection.callRoutine`, which is internal to MikroORM 7, and on it reading only the properties of the routine.
 */
export async function callInTenant(em: SqlEntityManager, routine: Routine, { given, ctx }: Call): Promise<unknown> {
  const rules = TenantRules.of(em.config);
  const own = Object.create(routine, { schema: { value: tenantSchema(routine.name, em.schema, rules.scope, rules) } }) as Routine;

  return em.getConnection('write').callRoutine(own, given as never, ctx);
}

/** The SQL that refreshes a tenant's materialized view. MikroORM would write `*` as its schema. */
export function refreshViewSql(em: SqlEntityManager, meta: EntityMetadata, concurrently: boolean | undefined): string {
  const driver = em.getDriver();
  const schema = driver.getSchemaName(meta, em.schema === undefined ? {} : { schema: em.schema });

  return driver.getPlatform().getSchemaHelper()!.refreshMaterializedView(meta.tableName, schema, concurrently);
}

interface Call {
  /** The arguments. */
  readonly given: unknown;
  readonly ctx: Transaction | undefined;
}
