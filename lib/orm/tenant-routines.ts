import type { EntityMetadata, Routine } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/**
 * Calls a function or procedure of the database: one with `schema: '*'` in the tenant's schema, any other where it is. What its body
 * reads without a schema is found by the path of the caller, so the call is sent as the raw SQL of the EntityManager.
 *
 * Relies on `Connection.callRoutine`, which is internal to MikroORM 7, on its sending what it sends through `execute`, and on its
 * taking a routine by its properties.
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

/** The SQL that fills a tenant's materialized view anew. MikroORM's own names the schema `*`. */
export function refreshViewSql(em: SqlEntityManager, meta: EntityMetadata, concurrently: boolean | undefined): string {
  const driver = em.getDriver();
  const schema = driver.getSchemaName(meta, em.schema === undefined ? {} : { schema: em.schema });

  return driver.getPlatform().getSchemaHelper()!.refreshMaterializedView(meta.tableName, schema, concurrently);
}
