import type { Transaction } from '@mikro-orm/core';
import { DatabaseSchema } from '@mikro-orm/postgresql';
import { forLibrary } from '../../connection/statements/sql-target.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { PLACEHOLDER_SCHEMA, quoteIdentifier } from '../../postgres/schema-name.js';
import { loadMigrationSet, historyTableName } from '../set/migration-set.js';
import { onlySchemas } from '../set/only-schemas.js';
import { readNewSchema } from './new-schema.js';

/**
 * What the tenant set makes of a new schema, or what the given statements make of it. The schema is rolled back. A set without a snapshot is
 * compared with it.
 *
 * @throws MigrationError `MIGRATION_FAILED`
 */
export async function readMadeSchema(database: TenantDatabase, statements?: readonly string[]): Promise<DatabaseSchema> {
  const planned = statements === undefined ? await loadMigrationSet(database) : [];

  return readNewSchema(database, { planned, statements: statements ?? [] }, async (schemaName, ctx) => {
    await database.execute(`alter schema ${quoteIdentifier(schemaName)} rename to ${quoteIdentifier(PLACEHOLDER_SCHEMA)}`, [], ctx);

    return forLibrary(database.orm.config, () => readSchema(database, ctx));
  });
}

async function readSchema(database: TenantDatabase, ctx: Transaction): Promise<DatabaseSchema> {
  const { config, em } = database.orm;
  const { skipTables = [], skipViews } = config.get('schemaGenerator');

  return DatabaseSchema.create(
    onlySchemas(em.getConnection('write'), { platform: em.getPlatform(), schemas: [PLACEHOLDER_SCHEMA], ctx }),
    em.getPlatform(),
    config,
    PLACEHOLDER_SCHEMA,
    [PLACEHOLDER_SCHEMA],
    undefined,
    [...skipTables, historyTableName(database)],
    skipViews,
    ctx,
  );
}
