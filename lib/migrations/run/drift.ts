import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { tryLockTenant } from '../../database/tenant-lock.js';
import { searchPathOf } from '../../postgres/schema-name.js';
import { hasSqlState, isLockTimeout, lacksTable } from '../../postgres/sql-state.js';
import { namesOf } from '../history/histories.js';
import { readHistoriesIn } from '../history/history-tables.js';
import { loadMigrationSet, tenantMigrationsOptions, type MigrationSet } from '../set/migration-set.js';
import { FINGERPRINTS, OBJECTS_AND_GRANTS, OBJECTS_OF_SCHEMAS } from './catalog-sql.js';
import { readNewSchema } from './new-schema.js';
import { migrationStatus, type TenantMigrationStatus } from './status.js';
import type { TenantSelection } from './selection.js';

/** How the objects in tenants' schemas differ from what the tenant set makes. */
export interface DriftReport {
  /** How many tenants have what the set makes. */
  readonly equal: number;
  readonly drifted: readonly TenantDrift[];
  /** The schema names of tenants that were not compared, because they are not up to date, or are migrated or changed at the moment. */
  readonly notCompared: readonly string[];
  /** Those among them that are migrated or changed at the moment. */
  readonly busy: readonly string[];
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
 * functions, enums, domains and privileges. The set is run in a new schema, which is rolled back, so the role needs the right to create one. Many tenants are
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
  const busy: string[] = [];

  for (let start = 0; start < compared.length; start += BATCH_SIZE) {
    const batch = compared.slice(start, start + BATCH_SIZE);
    const fingerprints = await readFingerprintsOf(database, batch);

    for (const tenant of batch.filter(({ schemaName }) => fingerprints.get(schemaName) !== made.fingerprint)) {
      const drift = await compare(database, tenant, made.all);

      if (drift === 'busy') {
        busy.push(tenant.schemaName);
      } else if (drift !== undefined) {
        drifted.push(drift);
      }
    }

    onProgress(Math.min(start + BATCH_SIZE, compared.length), compared.length);
  }

  return {
    equal: compared.length - drifted.length - busy.length,
    drifted,
    notCompared: [...notCompared.map(({ schemaName }) => schemaName), ...busy].toSorted(),
    busy,
  };
}

/** Those of schemas whose definitions could be read. One that is being migrated or dropped has others back. */
async function readFingerprintsOf(
  database: TenantDatabase,
  tenants: readonly TenantMigrationStatus[],
): Promise<ReadonlyMap<string, string>> {
  try {
    return await inShortTransaction(database, ctx =>
      readFingerprints(
        database,
        tenants.map(({ schemaName }) => schemaName),
        ctx,
      ),
    );
  } catch (error) {
    if (!isOfChange(error)) {
      throw error;
    }

    const middle = Math.ceil(tenants.length / 2);

    return tenants.length === 1
      ? new Map<string, string>()
      : new Map([
          ...(await readFingerprintsOf(database, tenants.slice(0, middle))),
          ...(await readFingerprintsOf(database, tenants.slice(middle))),
        ]);
  }
}

/** The difference, read while nobody changes the tenant. */
async function compare(
  database: TenantDatabase,
  { schemaName, executed }: TenantMigrationStatus,
  made: Objects,
): Promise<TenantDrift | 'busy' | undefined> {
  try {
    return await inShortTransaction(database, async ctx => {
      if (!(await tryLockTenant(database, schemaName, ctx)) || !(await hasStill(database, { schemaName, executed }, ctx))) {
        return 'busy';
      }

      return driftOf(schemaName, made, await readAll(database, schemaName, ctx));
    });
  } catch (error) {
    if (isOfChange(error)) {
      return 'busy';
    }

    throw error;
  }
}

/** Whether the schema is there, with the same history. */
async function hasStill(
  database: TenantDatabase,
  { schemaName, executed }: Pick<TenantMigrationStatus, 'schemaName' | 'executed'>,
  ctx: Transaction,
): Promise<boolean> {
  const [found] = await readHistoriesIn(database, { schemaNames: [schemaName], withDates: false }, ctx);

  return found !== undefined && namesOf(found).join() === executed.join();
}

function inShortTransaction<Result>(database: TenantDatabase, fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
  return database.inTransaction(async ctx => {
    await database.execute(`set local lock_timeout to ${LOCK_TIMEOUT_MS}`, [], ctx);

    return fn(ctx);
  });
}

/** Whether a table is locked, or was dropped while its definition was read, which is an internal error of PostgreSQL. */
function isOfChange(error: unknown): boolean {
  return isLockTimeout(error) || lacksTable(error) || hasSqlState(error, ['XX000']);
}

export type Objects = ReadonlyMap<string, string>;

/** The objects that these migrations make in a new schema, which is rolled back. */
export async function readMade(
  database: TenantDatabase,
  planned: MigrationSet,
): Promise<{
  readonly fingerprint: string | undefined;
  readonly objects: Objects;
  /** With the privileges on them. */
  readonly all: Objects;
}> {
  return readNewSchema(database, { planned }, async (schemaName, ctx) => ({
    fingerprint: (await readFingerprints(database, [schemaName], ctx)).get(schemaName),
    objects: await readObjects(database, schemaName, ctx),
    all: await readAll(database, schemaName, ctx),
  }));
}

async function readFingerprints(database: TenantDatabase, schemaNames: readonly string[], ctx: Transaction): Promise<Map<string, string>> {
  // with an empty path, every name in a definition has its schema
  await database.execute(`set local search_path to ''`, [], ctx);
  const rows = await database.execute<{ schema_name: string; fingerprint: string }>(
    FINGERPRINTS,
    [schemaNames, historyOf(database), prefixOf(database)],
    ctx,
  );

  return new Map(rows.map(row => [row.schema_name, row.fingerprint]));
}

/** The objects in a schema, without the privileges on them. */
export function readObjects(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<Objects> {
  return readBy(database, { sql: OBJECTS_OF_SCHEMAS, params: [[schemaName], historyOf(database)], schemaName }, ctx);
}

function readAll(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<Objects> {
  return readBy(database, { sql: OBJECTS_AND_GRANTS, params: [[schemaName], historyOf(database), prefixOf(database)], schemaName }, ctx);
}

async function readBy(
  database: TenantDatabase,
  { sql, params, schemaName }: { readonly sql: string; readonly params: readonly unknown[]; readonly schemaName: string },
  ctx: Transaction,
): Promise<Objects> {
  // with this path, no name of the schema's own in a definition has its schema
  await database.execute(`set local search_path to ${searchPathOf(schemaName)}`, [], ctx);
  const rows = await database.execute<{ object: string; definition: string | null }>(sql, params, ctx);
  const own = new RegExp(`"?\\b${schemaName}\\b"?\\.`, 'g');

  return new Map(
    // these are described with their schema all the same
    rows.map(({ object, definition }) => [object, WITH_SCHEMA.test(object) ? (definition ?? '').replaceAll(own, '') : (definition ?? '')]),
  );
}

/** What the privileges of the tenants' own roles are left out by: the doctor looks at them. */
function prefixOf({ options: { roles } }: TenantDatabase): string | null {
  return roles?.prefix ?? null;
}

function historyOf(database: TenantDatabase): string {
  return tenantMigrationsOptions(database).tableName;
}

export function driftOf(schemaName: string, made: Objects, found: Objects): TenantDrift | undefined {
  const lacks = withoutTheirGrants([...made.keys()].filter(object => !found.has(object)).toSorted());
  const has = withoutTheirGrants([...found.keys()].filter(object => !made.has(object)).toSorted());
  const differs = [...made]
    .filter(([object, definition]) => found.has(object) && found.get(object) !== definition)
    .map(([object]) => object);

  return lacks.length + has.length + differs.length === 0 ? undefined : { schemaName, lacks, has, differs: differs.toSorted() };
}

/** Privileges on what is among the objects itself say nothing more. */
function withoutTheirGrants(objects: readonly string[]): string[] {
  const names = new Set(objects.filter(object => !GRANT.test(object)).map(object => object.replace(KIND, '')));

  return objects.filter(object => {
    const { name = '' } = GRANT.exec(object)?.groups ?? {};

    return !names.has(name);
  });
}

function partition<Item>(items: readonly Item[], matches: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(matches), items.filter(item => !matches(item))];
}

/** How many schemas are compared in one statement. */
const BATCH_SIZE = 500;

/** How long a tenant's tables are waited for. One that is migrated or changed at the moment is not compared. */
const LOCK_TIMEOUT_MS = 1_000;

const GRANT = /^grant [a-z ]+ on [a-z]+ (?<name>.+) to .+$|^grant /;

const KIND = /^(materialized view|[a-z]+) /;

const WITH_SCHEMA = /^(function|statistics) /;
