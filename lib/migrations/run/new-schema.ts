import { randomUUID } from 'node:crypto';
import type { Transaction } from '@mikro-orm/core';
import { createSchemaStatements } from '../../database/citus/create-schema.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { quoteIdentifier, searchPathOf } from '../../postgres/schema-name.js';
import type { MigrationSet } from '../set/migration-set.js';
import { migrateSchema } from './migrate-schema.js';

/**
 * Runs the migrations, and before them the given statements, in a new schema as in that of a new tenant, and then `read` in the same transaction.
 * All of it is rolled back. The role needs the right to create a schema.
 *
 * @throws MigrationError `MIGRATION_FAILED`
 */
export async function readNewSchema<Made>(
  database: TenantDatabase,
  { planned = [], statements = [] }: { readonly planned?: MigrationSet; readonly statements?: readonly string[] },
  read: (schemaName: string, ctx: Transaction) => Promise<Made>,
): Promise<Made> {
  const made: Made[] = [];

  try {
    await database.inTransaction(async ctx => {
      // a name that no tenant has
      const schemaName = `landlord_${randomUUID().replaceAll('-', '_')}`;
      const path = searchPathOf(schemaName, ...database.options.searchPath);
      const create = await createSchemaStatements(database, quoteIdentifier(schemaName), { isSharded: true, ctx });
      const before = [...create, `set local search_path to ${path}`, ...statements];
      await migrateSchema(database, { schemaName, direction: 'up', planned, before, ctx, isNew: true });
      made.push(await read(schemaName, ctx));
      throw ROLLED_BACK;
    });
  } catch (error) {
    if (error !== ROLLED_BACK) {
      throw error;
    }
  }

  // it is there: only then is that error thrown
  return made[0] as Made;
}

const ROLLED_BACK = new Error('rolled back');
