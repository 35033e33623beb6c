import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { loadMigrationSet, tenantMigrationsOptions, type MigrationSet } from '../set/migration-set.js';
import { FINGERPRINTS, OBJECTS_OF_SCHEMAS } from './catalog-sql.js';
import { readNewSchema } from './new-schema.js';
import { migrationStatus } from './status.js';
import type { TenantSelection } from './selection.js';

/** How the objects in tenants' schemas differ from what the tenant set makes. */
export interface DriftReport {
  /** How many tenants have what the set makes. */
  readonly equal: number;
  readonly drifted: readonly TenantDrift[];
  /** The schema names of tenants that were not compared, because they are not up to date. */
  readonly notCompared: readonly string[];
}

/** What differs in one tenant. Objects are named by their kind and name, for example `index loan_due_index` or `column member.email`. */
export interface TenantDrift {
  readonly schemaName: string;
  readonly lacks: readonly string[];
  readonly has: readonly string[];
  /** Objects that are there, and are defined in another way. An index that is not valid is one. */
  readonly differs: readonly string[];
}

/**
 * Compares the objects in each selected tenant's schema with what the tenant set makes: tables, columns, indexes, constraints, triggers, policies, views,
 * functions, enums and domains. The set is run in a new schema, which is rolled back, so the role needs the right to create one. Many tenants are
 * compared at a time, by a text for each; the objects are read of those that differ.
 *
 * @throws MigrationError `MIGRATION_FAILED` if the set cannot be run.
 */
export async function findDrift(
  database: TenantDatabase,
  selection: TenantSelection = {},
  onProgress: (compared: number, total: number) => void = () => undefined,
): Promise<DriftReport> {
  const { tenants } = await migrationStatus(database, selection);
  const [compared, notCompared] = partition(
    tenants,
    ({ hasSchema, pending, unknown, error }) => hasSchema && pending.length === 0 && unknown.length === 0 && error === undefined,
  );
  const made = await readMade(database, await loadMigrationSet(database));
  const drifted: TenantDrift[] = [];

  for (let start = 0; start < compared.length; start += BATCH_SIZE) {
    const names = compared.slice(start, start + BATCH_SIZE).map(({ schemaName }) => schemaName);
    const fingerprints = await database.inTransaction(ctx => readFingerprints(database, names, ctx));

    for (const schemaName of names.filter(name => fingerprints.get(name) !== made.fingerprint)) {
      const drift = driftOf(schemaName, made.objects, await database.inTransaction(ctx => readObjects(database, schemaName, ctx)));

      if (drift !== undefined) {
        drifted.push(drift);
      }
    }

    onProgress(Math.min(start + BATCH_SIZE, compared.length), compared.length);
  }

  return { equal: compared.length - drifted.length, drifted, notCompared: notCompared.map(({ schemaName }) => schemaName) };
}

export type Objects = ReadonlyMap<string, string>;

/** The objects that these migrations make in a new schema, which is rolled back. */
export async function readMade(
  database: TenantDatabase,
  planned: MigrationSet,
): Promise<{ readonly fingerprint: string | undefined; readonly objects: Objects }> {
  return readNewSchema(database, { planned }, async (schemaName, ctx) => ({
    fingerprint: (await readFingerprints(database, [schemaName], ctx)).get(schemaName),
    objects: await readObjects(database, schemaName, ctx),
  }));
}

async function readFingerprints(database: TenantDatabase, schemaNames: readonly string[], ctx: Transaction): Promise<Map<string, string>> {
  // with an empty path, every name in a definition has its schema
  await database.execute(`set local search_path to ''`, [], ctx);
  const rows = await database.execute<{ schema_name: string; fingerprint: string }>(FINGERPRINTS, [schemaNames, historyOf(database)], ctx);

  return new Map(rows.map(row => [row.schema_name, row.fingerprint]));
}

export async function readObjects(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<Objects> {
  // with this path, no name of the schema's own in a definition has its schema
  await database.execute(`set local search_path to ${searchPathOf(schemaName)}`, [], ctx);
  const rows = await database.execute<{ object: string; definition: string | null }>(
    OBJECTS_OF_SCHEMAS,
    [[schemaName], historyOf(database)],
    ctx,
  );
  const own = new RegExp(`"?\\b${schemaName}\\b"?\\.`, 'g');

  return new Map(
    // these are described with their schema all the same
    rows.map(({ object, definition }) => [object, WITH_SCHEMA.test(object) ? (definition ?? '').replaceAll(own, '') : (definition ?? '')]),
  );
}

function historyOf(database: TenantDatabase): string {
  return tenantMigrationsOptions(database).tableName;
}

export function driftOf(schemaName: string, made: Objects, found: Objects): TenantDrift | undefined {
  const lacks = [...made.keys()].filter(object => !found.has(object)).toSorted();
  const has = [...found.keys()].filter(object => !made.has(object)).toSorted();
  const differs = [...made]
    .filter(([object, definition]) => found.has(object) && found.get(object) !== definition)
    .map(([object]) => object);

  return lacks.length + has.length + differs.length === 0 ? undefined : { schemaName, lacks, has, differs: differs.toSorted() };
}

function partition<Item>(items: readonly Item[], matches: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(matches), items.filter(item => !matches(item))];
}

/** How many schemas are compared in one statement. */
const BATCH_SIZE = 250;

const WITH_SCHEMA = /^(function|statistics) /;
