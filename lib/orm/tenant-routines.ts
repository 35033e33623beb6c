import type { EntityMetadata, Routine } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/**
 * Calls a database function or procedure. One with `schema: '*'` is called in the tenant's schema, any other in its own. PostgreSQL resolves
 * unqualified names in its body by the caller's `search_path`, so the call is sent like raw SQL of the EntityManager.
 *
 * Relies on `Connection.callRoutine`, which is internal to MikroORM 7, on it sending its SQL through `execute`, and on it reading only the
 * properties of the routine.
 */
export async function callOnPath(em: SqlEntityManager, routine: Routine, args: unknown): Promise<unknown> {
  const rules = TenantRules.of(em.config);
  const own = isTenantEntity(routine as Pick<EntityMetadata, 'schema'>)
    ? Object.create(routine, { schema: { value: tenantSchema(routine.name, em.schema, rules.scope, rules) } })
    : routine;
  const execute = (sql: string, params: unknown[], method: 'all'): Promise<unknown> => em.execute(sql, params, method);
  const connection = Object.create(em.getConnection('write'), { execute: { value: execute } }) as ReturnType<typeof em.getConnection>;

  return connection.callRoutine(own, args as never, em.getTransactionContext());
}

/** The SQL that refreshes a tenant's materialized view. MikroORM would write `*` as its schema. */
export function refreshViewSql(em: SqlEntityManager, meta: EntityMetadata, concurrently: boolean | undefined): string {
  const driver = em.getDriver();
  const schema = driver.getSchemaName(meta, em.schema === undefined ? {} : { schema: em.schema });

  return driver.getPlatform().getSchemaHelper()!.refreshMaterializedView(meta.tableName, schema, concurrently);
}
