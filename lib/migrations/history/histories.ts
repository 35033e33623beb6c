import type { Transaction } from '@mikro-orm/core';
import { pMapIterable } from 'p-map';
import { MigrationError } from '../../errors/index.js';
import { SCHEMA_COMMENT } from '../../database/owned-schemas.js';
import { quoteTable } from '../../postgres/schema-name.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { isUnreachable } from '../../postgres/sql-state.js';
import { tenantMigrationsOptions } from '../set/migration-set.js';

/** The migration history of one schema. */
export interface SchemaHistory {
  readonly schemaName: string;
  readonly hasSchema: boolean;
  /** The names of its migrations, oldest first, one per line, so that equal histories are equal strings. Empty if there are none. */
  readonly executed: string;
  /** When each of them ran, if `withDates` asks for it. */
  readonly executedAt: readonly Date[];
  /** Whether the schema may belong to something else: it has no history, and the library did not create it. */
  readonly isForeign: boolean;
  /** Whether it has tables but no history, so that nobody knows which migrations have run. */
  readonly isLost: boolean;
  /** Why the history could not be read. */
  readonly error: MigrationError | undefined;
}

export interface ReadOptions {
  /** How long to wait for a history table that another session has locked. */
  readonly lockTimeoutMs: number;
  /** Whether to read when each migration ran. */
  readonly withDates?: boolean;
  /** After an abort, no further batch is read. */
  readonly signal?: AbortSignal | undefined;
  /** Runs a read again where the database is in trouble. Without it, that ends the reading. */
  readonly survive?: <Result>(read: () => Promise<Result>) => Promise<Result>;
}

/**
 * Reads the histories of many schemas in a few round trips: one catalog query per batch, and one query for all histories of the batch.
 * Yields batch by batch, and reads only a few batches ahead, to limit memory. A history that cannot be read is yielded with its error.
 * The other histories of its batch are still read.
 */
export function readHistories(
  database: TenantDatabase,
  schemaNames: readonly string[],
  options: ReadOptions,
): AsyncIterable<readonly SchemaHistory[]> {
  return pMapIterable(batchesOf(schemaNames, options.signal), batch => readBatch(database, batch, options), {
    concurrency: Math.min(CONCURRENT_BATCHES, database.engine.connectionsAtOnce()),
  });
}

/** The migration names in a history from `readHistories`. */
export function namesOf({ executed }: Pick<SchemaHistory, 'executed'>): string[] {
  return executed === '' ? [] : executed.split('\n').map(name => name.replace(/\.[jt]s$/, ''));
}

/** Reads all histories at once. If that fails, reads each half separately, down to the history that fails. */
async function readBatch(database: TenantDatabase, schemaNames: readonly string[], options: ReadOptions): Promise<SchemaHistory[]> {
  try {
    const { survive = read => read() } = options;

    return await survive(() => database.inTransaction(ctx => readTogether(database, schemaNames, options, ctx)));
  } catch (error) {
    if (isUnreachable(error)) {
      throw error;
    }

    const [schemaName = '', ...others] = schemaNames;

    if (others.length === 0) {
      const unreadable = MigrationError.historyUnreadable(schemaName, error);

      return [{ schemaName, hasSchema: true, executed: '', executedAt: [], isForeign: false, isLost: false, error: unreadable }];
    }

    const middle = Math.ceil(schemaNames.length / 2);
    // halved in each step, so that the search for a locked table does not take many times the time-out
    const half = { ...options, lockTimeoutMs: Math.ceil(options.lockTimeoutMs / 2) };

    return [
      ...(await readBatch(database, schemaNames.slice(0, middle), half)),
      ...(await readBatch(database, schemaNames.slice(middle), half)),
    ];
  }
}

async function readTogether(
  database: TenantDatabase,
  schemaNames: readonly string[],
  { lockTimeoutMs, withDates = false }: ReadOptions,
  ctx: Transaction,
): Promise<SchemaHistory[]> {
  const { tableName } = tenantMigrationsOptions(database);
  await database.execute(`set local lock_timeout to ${lockTimeoutMs}`, [], ctx);
  const found = new Map((await findTables(database, tableName, schemaNames, ctx)).map(row => [row.name, row]));
  const withHistory = schemaNames.filter(name => found.get(name)?.has_history === true && found.get(name)?.may_read === true);
  const executed = await readTables(database, { tableName, schemaNames: withHistory, withDates }, ctx);

  return schemaNames.map(schemaName => {
    const row = found.get(schemaName);

    return {
      schemaName,
      hasSchema: row !== undefined,
      executed: (executed.get(schemaName) ?? []).map(({ name }) => name).join('\n'),
      executedAt: withDates ? (executed.get(schemaName) ?? []).map(row => new Date(row.executed_at ?? 0)) : [],
      isForeign: row !== undefined && !row.has_history && !row.is_owned,
      isLost: row !== undefined && !row.has_history && row.has_tables,
      error: row?.may_read === false ? MigrationError.historyForbidden(schemaName, row.role) : undefined,
    };
  });
}

/** Reads the histories of these schemas. Each must have a history table. */
async function readTables(
  database: TenantDatabase,
  {
    tableName,
    schemaNames,
    withDates,
  }: { readonly tableName: string; readonly schemaNames: readonly string[]; readonly withDates: boolean },
  ctx: Transaction,
): Promise<Map<string, HistoryRow[]>> {
  if (schemaNames.length === 0) {
    return new Map();
  }

  // plain rows: with aggregation and sorting on the server, planning so many sub-queries takes three times as long. A position identifies
  // the schema, because a name would have to be quoted as a value
  const columns = withDates ? 'id, name, executed_at' : 'id, name';
  const selects = schemaNames.map((name, position) => `select ${position} as position, ${columns} from ${quoteTable(name, tableName)}`);
  const rows = await database.execute<HistoryRow>(selects.join(' union all '), [], ctx);
  const histories = new Map<string, HistoryRow[]>();

  for (const row of rows.toSorted((a, b) => a.id - b.id)) {
    const schemaName = schemaNames[row.position] ?? '';
    histories.set(schemaName, [...(histories.get(schemaName) ?? []), row]);
  }

  return histories;
}

interface HistoryRow {
  readonly position: number;
  readonly id: number;
  readonly name: string;
  readonly executed_at?: Date | string;
}

interface FoundSchema {
  readonly name: string;
  readonly has_history: boolean;
  readonly has_tables: boolean;
  readonly is_owned: boolean;
  readonly may_read: boolean;
  readonly role: string;
}

function* batchesOf(schemaNames: readonly string[], signal: AbortSignal | undefined): Generator<readonly string[]> {
  for (let start = 0; start < schemaNames.length && signal?.aborted !== true; start += BATCH_SIZE) {
    yield schemaNames.slice(start, start + BATCH_SIZE);
  }
}

// by name, so that the cost does not grow with the number of schemas in the database
function findTables(database: TenantDatabase, tableName: string, schemaNames: readonly string[], ctx: Transaction): Promise<FoundSchema[]> {
  return database.execute(
    `select n.nspname as name, c.oid is not null as has_history, current_user::text as role, ` +
      `has_schema_privilege(n.oid, 'usage') and coalesce(has_table_privilege(c.oid, 'select'), true) as may_read, ` +
      // only asked where it matters, as the catalog has no index for it
      `case when c.oid is null then exists (select from pg_class t where t.relnamespace = n.oid and t.relkind in ('r', 'p')) else false end as has_tables, ` +
      `obj_description(n.oid, 'pg_namespace') is not distinct from ? as is_owned from pg_namespace n ` +
      `left join pg_class c on c.relnamespace = n.oid and c.relname = ? and c.relkind in ('r', 'p') where n.nspname in (?)`,
    [SCHEMA_COMMENT, tableName, [...schemaNames]],
    ctx,
  );
}

/** Larger batches gain nothing: planning time grows with the statement, and each table takes an entry in the server's lock table. */
const BATCH_SIZE = 250;

/** How many batches are read at once. */
const CONCURRENT_BATCHES = 2;
