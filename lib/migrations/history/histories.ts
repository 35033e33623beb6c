import { pMapIterable } from 'p-map';
import { hasPool } from '../../connection/pool/pooled-connection.js';
import { MigrationError } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { isUnreachable } from '../../postgres/sql-state.js';
import { copyHistoryTables, readHistoryTables } from './history-tables.js';

/** The migration history of one schema. */
export interface SchemaHistory {
  readonly schemaName: string;
  readonly hasSchema: boolean;
  readonly schemaOid: string | undefined;
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
  const atOnce = Math.min(CONCURRENT_BATCHES, database.engine.connectionsAtOnce());

  return pMapIterable(batchesOf(schemaNames, { signal: options.signal, atOnce }), batch => readBatch(database, batch, options), {
    concurrency: atOnce,
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

    return await survive(() => readTogether(database, schemaNames, options));
  } catch (error) {
    if (isUnreachable(error)) {
      throw error;
    }

    const [schemaName = '', ...others] = schemaNames;

    if (others.length === 0) {
      const unreadable = MigrationError.historyUnreadable(schemaName, error);

      return [
        {
          schemaName,
          hasSchema: true,
          schemaOid: undefined,
          executed: '',
          executedAt: [],
          isForeign: false,
          isLost: false,
          error: unreadable,
        },
      ];
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
): Promise<SchemaHistory[]> {
  const mayCopy = !withDates && (await database.engine.takesScripts(undefined)) && (await hasPool(database));
  const found = await (mayCopy
    ? copyHistoryTables(database, { schemaNames, lockTimeoutMs })
    : readHistoryTables(database, { schemaNames, lockTimeoutMs, withDates }));
  const histories = new Map(found.map(history => [history.schema.name, history]));

  return schemaNames.map(schemaName => {
    const { schema, executed = '', executedAt = [] } = histories.get(schemaName) ?? {};
    const state = schema?.state;

    return {
      schemaName,
      hasSchema: schema !== undefined,
      schemaOid: schema?.oid,
      executed,
      executedAt,
      isForeign: state !== undefined && !state.has_history && !state.is_owned,
      isLost: state !== undefined && !state.has_history && state.has_tables,
      error: state?.may_read === false ? MigrationError.historyForbidden(schemaName, state.role) : undefined,
    };
  });
}

/** Several batches are of the same size, so that none of those that are read at once is waited for alone. */
function* batchesOf(
  schemaNames: readonly string[],
  { signal, atOnce }: { readonly signal: AbortSignal | undefined; readonly atOnce: number },
): Generator<readonly string[]> {
  const { length } = schemaNames;
  const batches = length <= BATCH_SIZE ? 1 : Math.ceil(length / (BATCH_SIZE * atOnce)) * atOnce;
  const size = Math.ceil(length / batches);

  for (let start = 0; start < length && signal?.aborted !== true; start += size) {
    yield schemaNames.slice(start, start + size);
  }
}

/** Larger batches gain nothing: planning time grows with the statement, and each table takes an entry in the server's lock table. */
const BATCH_SIZE = 250;

/** How many batches are read at once. */
const CONCURRENT_BATCHES = 2;
