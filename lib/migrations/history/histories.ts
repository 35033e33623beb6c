import type { Transaction } from '@mikro-orm/core';
import { pMapIterable } from 'p-map';
import { MigrationError } from '../../errors/index.js';
import { SCHEMA_COMMENT } from '../../provisioning/schemas.js';
import { quoteTable } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { tenantMigrationsOptions } from '../set/migration-set.js';

/** What one schema has. */
export interface SchemaHistory {
  readonly schemaName: string;
  readonly hasSchema: boolean;
  /** The names of its migrations, oldest first, one a line: equal histories are equal strings. Empty where there is none. */
  readonly executed: string;
  /** Whether nothing says that the schema is a tenant's: it has no history, and the library did not make it. */
  readonly isForeign: boolean;
  /** Why the history could not be read, where it could not. */
  readonly error: MigrationError | undefined;
}

export interface ReadOptions {
  /** How long to wait for a history that another session has locked. */
  readonly lockTimeoutMs: number;
  /** Aborted, no other batch is read. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the histories of many schemas in a handful of round trips: one look at the catalog for all of a batch, and one statement for
 * all histories of it. Yields them batch by batch, a few of which are read ahead, so that no more are in memory. A history that cannot be
 * read is given with its error, and hides no other.
 */
export function readHistories(
  database: TenantDatabase,
  schemaNames: readonly string[],
  options: ReadOptions,
): AsyncIterable<readonly SchemaHistory[]> {
  return pMapIterable(batchesOf(schemaNames, options.signal), batch => readBatch(database, batch, options.lockTimeoutMs), {
    concurrency: Math.min(READERS, database.engine.connectionsAtOnce()),
  });
}

/** The names in a history as `readHistories` gives it. */
export function namesOf({ executed }: Pick<SchemaHistory, 'executed'>): string[] {
  return executed === '' ? [] : executed.split('\n').map(name => name.replace(/\.[jt]s$/, ''));
}

/** Reads them all at once; where that fails, one half after the other, down to the one that it fails for. */
async function readBatch(database: TenantDatabase, schemaNames: readonly string[], lockTimeoutMs: number): Promise<SchemaHistory[]> {
  try {
    return await database.inTransaction(ctx => readTogether(database, schemaNames, lockTimeoutMs, ctx));
  } catch (error) {
    const [schemaName = '', ...others] = schemaNames;

    if (others.length === 0) {
      const unreadable = MigrationError.historyUnreadable(schemaName, error);

      return [{ schemaName, hasSchema: true, executed: '', isForeign: false, error: unreadable }];
    }

    const middle = Math.ceil(schemaNames.length / 2);
    // half as long each time, so that looking for one that is locked does not take many times as long as waiting for it
    const half = Math.ceil(lockTimeoutMs / 2);

    return [
      ...(await readBatch(database, schemaNames.slice(0, middle), half)),
      ...(await readBatch(database, schemaNames.slice(middle), half)),
    ];
  }
}

async function readTogether(
  database: TenantDatabase,
  schemaNames: readonly string[],
  lockTimeoutMs: number,
  ctx: Transaction,
): Promise<SchemaHistory[]> {
  const { tableName } = tenantMigrationsOptions(database);
  await database.execute(`set local lock_timeout to ${lockTimeoutMs}`, [], ctx);
  const found = new Map((await findTables(database, tableName, schemaNames, ctx)).map(row => [row.name, row]));
  const withHistory = schemaNames.filter(name => found.get(name)?.has_history === true);
  const executed = await readTables(database, tableName, withHistory, ctx);

  return schemaNames.map(schemaName => {
    const row = found.get(schemaName);

    return {
      schemaName,
      hasSchema: row !== undefined,
      executed: executed.get(schemaName) ?? '',
      isForeign: row !== undefined && !row.has_history && !row.is_owned,
      error: undefined,
    };
  });
}

/** The histories of these schemas, all of which have one. */
async function readTables(
  database: TenantDatabase,
  tableName: string,
  schemaNames: readonly string[],
  ctx: Transaction,
): Promise<Map<string, string>> {
  if (schemaNames.length === 0) {
    return new Map();
  }

  // rows as they are: aggregated and ordered by the server, each of so many sub-queries would take three times as long to plan.
  // The position says which schema a row is of, as a name would have to be quoted as a value
  const selects = schemaNames.map((name, position) => `select ${position} as position, id, name from ${quoteTable(name, tableName)}`);
  const rows = await database.execute<{ position: number; id: number; name: string }>(selects.join(' union all '), [], ctx);
  const names = new Map<string, string[]>();

  for (const { position, name } of rows.toSorted((a, b) => a.id - b.id)) {
    const schemaName = schemaNames[position] ?? '';
    names.set(schemaName, [...(names.get(schemaName) ?? []), name]);
  }

  return new Map([...names].map(([schemaName, each]) => [schemaName, each.join('\n')]));
}

function* batchesOf(schemaNames: readonly string[], signal: AbortSignal | undefined): Generator<readonly string[]> {
  for (let start = 0; start < schemaNames.length && signal?.aborted !== true; start += BATCH) {
    yield schemaNames.slice(start, start + BATCH);
  }
}

// by name, so that what is looked at does not grow with the schemas in the database
function findTables(
  database: TenantDatabase,
  tableName: string,
  schemaNames: readonly string[],
  ctx: Transaction,
): Promise<{ name: string; has_history: boolean; is_owned: boolean }[]> {
  return database.execute(
    `select n.nspname as name, c.oid is not null as has_history, ` +
      `obj_description(n.oid, 'pg_namespace') is not distinct from ? as is_owned from pg_namespace n ` +
      `left join pg_class c on c.relnamespace = n.oid and c.relname = ? and c.relkind in ('r', 'p') where n.nspname in (?)`,
    [SCHEMA_COMMENT, tableName, [...schemaNames]],
    ctx,
  );
}

/** As large as pays: planning grows with the statement, and each table of it takes a place in the server's lock table. */
const BATCH = 250;

/** How many batches are read at once. */
const READERS = 2;
