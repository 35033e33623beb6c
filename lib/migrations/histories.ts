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
 * all histories of it. Yields them batch by batch, so that no more than one is in memory.
 */
export async function* readHistories(tenancy: Tenancy, schemaNames: readonly string[]): AsyncGenerator<readonly SchemaHistory[]> {
  for (let start = 0; start < schemaNames.length; start += BATCH) {
    yield await readBatch(tenancy, schemaNames.slice(start, start + BATCH));
  }
}

/** The names in a history as `readHistories` gives it. */
export function namesOf({ executed }: Pick<SchemaHistory, 'executed'>): string[] {
  return executed === '' ? [] : executed.split('\n').map(name => name.replace(/\.[jt]s$/, ''));
}

async function readBatch(tenancy: Tenancy, schemaNames: readonly string[]): Promise<SchemaHistory[]> {
  const { tableName } = tenantMigrationsOptions(tenancy);
  const found = new Map((await findTables(tenancy, tableName, schemaNames)).map(row => [row.name, row.has_history]));
  const withHistory = schemaNames.filter(name => found.get(name) === true);
  const executed = new Map<string, string>();

  if (withHistory.length > 0) {
    // the position says which schema it is of, as a name would have to be quoted as a value
    const selects = withHistory.map(
      (name, position) =>
        `select ${position} as position, string_agg(name, e'\\n' order by id) as names from ${quoteTable(name, tableName)}`,
    );
    const rows = await tenancy.execute<{ position: number; names: string | null }>(selects.join(' union all '), [], undefined);
    rows.forEach(({ position, names }) => executed.set(withHistory[position] ?? '', names ?? ''));
  }

  return schemaNames.map(schemaName => ({
    schemaName,
    hasSchema: found.has(schemaName),
    executed: executed.get(schemaName) ?? '',
  }));
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

/** As large as pays: the lock table of a server with default settings holds some thousands, and planning grows with the statement. */
const BATCH = 400;
