import type { Transaction } from '@mikro-orm/core';
import { SCHEMA_COMMENT } from '../../database/owned-schemas.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { lockTenant } from '../../database/tenant-lock.js';
import { MoveError, SchemaMissingError } from '../../errors/index.js';
import { History } from '../../migrations/history/history.js';
import { driftOf, readMade, readObjects, type Objects } from '../../migrations/run/drift.js';
import { loadMigrationSet, tenantMigrationsOptions } from '../../migrations/set/migration-set.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import { checkNewName } from '../schemas.js';

/** What a schema has to be to become a tenant. */
export interface AdoptionPlan {
  /** The migrations that it has to have, oldest first. */
  readonly migrations: readonly string[];
  readonly objects: Objects;
}

/**
 * What the tenant set makes, up to the given migration. It is read in a new schema, which is rolled back.
 *
 * @throws MoveError `ADOPT_REFUSED` if the set has no such migration.
 */
export async function planAdoption(database: TenantDatabase, schemaName: string, to: string | undefined): Promise<AdoptionPlan> {
  const set = await loadMigrationSet(database);
  const last = to === undefined ? set.length - 1 : set.findIndex(({ name }) => name === to);

  if (to !== undefined && last === -1) {
    throw MoveError.notAdopted(schemaName, [`the tenant set has no migration ${to}`]);
  }

  const planned = set.slice(0, last + 1);

  return { migrations: planned.map(({ name }) => name), objects: (await readMade(database, planned)).objects };
}

/**
 * Compares a schema that is there with the plan, and marks it as made by the library. Its history is written, if it has none. Nobody sees it before the
 * transaction is committed.
 *
 * @throws MoveError `ADOPT_REFUSED`, with what differs.
 * @throws SchemaMissingError `SCHEMA_MISSING`
 */
export async function takeSchema(
  database: TenantDatabase,
  { schemaName, plan }: { readonly schemaName: string; readonly plan: AdoptionPlan },
  ctx: Transaction,
): Promise<void> {
  await checkNewName(database, schemaName, ctx);
  await lockTenant(database, schemaName, ctx);
  const [found] = await database.execute<{ comment: string | null }>(
    `select obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = ?`,
    [schemaName],
    ctx,
  );

  if (found === undefined) {
    throw SchemaMissingError.toAdopt(schemaName);
  }

  if (found.comment !== null && found.comment !== SCHEMA_COMMENT) {
    throw MoveError.notAdopted(schemaName, [`it has the comment ${JSON.stringify(found.comment)}, which says whose it is`]);
  }

  await writeHistory(database, { schemaName, plan }, ctx);
  const drift = driftOf(schemaName, plan.objects, await readObjects(database, schemaName, ctx));

  if (drift !== undefined) {
    throw MoveError.notAdopted(schemaName, [
      ...drift.lacks.map(object => `it lacks ${object}`),
      ...drift.has.map(object => `it has ${object}`),
      ...drift.differs.map(object => `${object} differs`),
    ]);
  }

  await database.execute(`comment on schema ${quoteIdentifier(schemaName)} is '${SCHEMA_COMMENT}'`, [], ctx);
}

/** A history that is there has to be that of the plan. */
async function writeHistory(
  database: TenantDatabase,
  { schemaName, plan }: { readonly schemaName: string; readonly plan: AdoptionPlan },
  ctx: Transaction,
): Promise<void> {
  const history = new History(database, schemaName);
  const executed = (await history.executed(ctx)).map(({ name }) => name);

  if (executed.length > 0) {
    const unknown = executed.filter(name => !plan.migrations.includes(name));
    const lacking = plan.migrations.filter(name => !executed.includes(name));

    if (unknown.length > 0 || lacking.length > 0) {
      throw MoveError.notAdopted(schemaName, [
        ...unknown.map(name => `its table ${tenantMigrationsOptions(database).tableName} has the migration ${name}, which is not meant`),
        ...lacking.map(name => `its table ${tenantMigrationsOptions(database).tableName} lacks the migration ${name}`),
      ]);
    }

    return;
  }

  for (const sql of [history.createTableSql(), ...plan.migrations.map(name => history.addSql(name))]) {
    await database.execute(sql, [], ctx);
  }
}
