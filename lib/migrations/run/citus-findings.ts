import type { TenantDatabase } from '../../database/tenant-database.js';
import { isForCitus } from '../set/citus/is-citus.js';
import { lintForCitus, type CitusFinding } from '../set/citus/lint.js';
import { missingIn, referenceTables } from '../set/citus/reference-tables.js';
import { hasMigrationSet, loadMigrationSet } from '../set/migration-set.js';
import { queuedSql } from './migrate-schema.js';

/**
 * What Citus would refuse in the tenant set, or do without a word. Empty where migrations are not written for Citus. What a migration sends after it
 * has read the database is not looked at.
 */
export async function findForCitus(database: TenantDatabase): Promise<CitusFinding[]> {
  if (!(await isForCitus(database)) || !hasMigrationSet(database)) {
    return [];
  }

  const tables = referenceTables(database);
  const missing = missingIn(database, tables);
  const context = { publicSchema: database.publicSchema, references: tables.filter(table => !missing.includes(table)) };
  const findings: CitusFinding[] = [];

  for (const migration of await loadMigrationSet(database)) {
    const { sql } = await queuedSql(database, migration, 'up', NOBODYS);
    findings.push(...lintForCitus({ ...migration, sql }, context));
  }

  return findings;
}

/** A schema that is not there, as nothing is sent. */
const NOBODYS = 'landlord_lint';
