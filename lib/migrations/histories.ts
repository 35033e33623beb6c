import { pMapIterable } from 'p-map';
import { quoteTable } from '../schema-name.js';
import type { Tenancy } from '../tenancy.js';
import { tenantMigrationsOptions } from './migration-set.js';

/** What one schema has. */
export interface SchemaHistory {
  readonly schemaName: string;
  readonly hasSchema: boolean;
  /** The names of its migrations, oldest first, one a line: equal histories are equal strings. Empty where there is none. */
  readonly executed: string;
}

/**
 * Reads the histories of many schemas in a handful of round trips: one look at the catalog for all of a batch, and one statement for
 * all histories of it. Yields them batch by batch, a few of which are read ahead, so that no more are in memory.
 */
export function readHistories(tenancy: Tenancy, schemaNames: readonly string[]): AsyncIterable<readonly SchemaHistory[]> {
  return pMapIterable(batchesOf(schemaNames), batch => readBatch(tenancy, batch), {
    concurrency: Math.min(READERS, tenancy.connectionsAtOnce()),
  });
}

/** The names in a history as `readHistories` gives it. */
export function namesOf({ executed }: Pick<SchemaHistory, 'executed'>): string[] {
  return executed === '' ? [] : executed.split('\n').map(name => name.replace(/\.[jt]s$/, ''));
}

async function readBatch(tenancy: Tenancy, schemaNames: readonly string[]): Promise<SchemaHistory[]> {
  const { tableName } = tenantMigrationsOptions(tenancy);
  const found = new Map((await findTables(tenancy, tableName, schemaNames)).map(row => [row.name, row.has_history]));
  const withHistory = schemaNames.filter(name => found.get(name) === true);
  const executed = await readTables(tenancy, tableName, withHistory);

  return schemaNames.map(schemaName => ({
    schemaName,
    hasSchema: found.has(schemaName),
    executed: executed.get(schemaName) ?? '',
  }));
}

/** The histories of these schemas, all of which have one. */
async function readTables(tenancy: Tenancy, tableName: string, schemaNames: readonly string[]): Promise<Map<string, string>> {
  if (schemaNames.length === 0) {
    return new Map();
  }

  // rows as they are: aggregated and ordered by the server, each of so many sub-queries would take three times as long to plan.
  // The position says which schema a row is of, as a name would have to be quoted as a value
  const selects = schemaNames.map((name, position) => `select ${position} as position, id, name from ${quoteTable(name, tableName)}`);
  const rows = await tenancy.execute<{ position: number; id: number; name: string }>(selects.join(' union all '), [], undefined);
  const names = new Map<string, string[]>();

  for (const { position, name } of rows.toSorted((a, b) => a.id - b.id)) {
    const schemaName = schemaNames[position] ?? '';
    names.set(schemaName, [...(names.get(schemaName) ?? []), name]);
  }

  return new Map([...names].map(([schemaName, each]) => [schemaName, each.join('\n')]));
}

function* batchesOf(schemaNames: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < schemaNames.length; start += BATCH) {
    yield schemaNames.slice(start, start + BATCH);
  }
}

// by name, so that what is looked at does not grow with the schemas in the database
function findTables(
  tenancy: Tenancy,
  tableName: string,
  schemaNames: readonly string[],
): Promise<{ name: string; has_history: boolean }[]> {
  return tenancy.execute(
    `select n.nspname as name, c.oid is not null as has_history from pg_namespace n ` +
      `left join pg_class c on c.relnamespace = n.oid and c.relname = ? and c.relkind in ('r', 'p') where n.nspname in (?)`,
    [tableName, [...schemaNames]],
    undefined,
  );
}

/** As large as pays: planning grows with the statement, and each table of it takes a place in the server's lock table. */
const BATCH = 250;

/** How many batches are read at once. */
const READERS = 2;
