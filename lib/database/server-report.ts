import { readServerFacts, type ServerFacts } from './server-facts.js';
import type { TenantDatabase } from './tenant-database.js';

/** The server's settings beside the number of tenants and tables. */
export interface ServerReport {
  readonly tenants: number;
  /** Tables in the schemas of tenants. */
  readonly tables: number;
  readonly checks: readonly ServerCheck[];
}

/** One setting of the server. */
export interface ServerCheck {
  readonly setting: string;
  /** As the server has it. */
  readonly value: string;
  /** What it should be at least. Equal to `value` if it is enough. */
  readonly needed: string;
  readonly isEnough: boolean;
  /** What is compared, with its numbers. */
  readonly reason: string;
}

/**
 * Compares the server's settings with what the tenants need. Changes nothing.
 *
 * https://www.postgresql.org/docs/current/runtime-config-locks.html
 * https://www.postgresql.org/docs/current/runtime-config-connection.html
 * https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM
 * https://www.postgresql.org/docs/current/runtime-config-resource.html
 */
export async function reportServer(database: TenantDatabase, tenants: number): Promise<ServerReport> {
  return judge(await readServerFacts(database), tenants);
}

function judge(facts: ServerFacts, tenants: number): ServerReport {
  return {
    tenants,
    tables: facts.tenantTables,
    checks: [
      locksForDump(facts),
      ...(facts.referencesToOne > 0 ? [locksForSharedRow(facts)] : []),
      connections(facts),
      analyses(facts),
      catalogs(facts),
    ],
  };
}

/** `pg_dump` locks each table in one transaction. */
function locksForDump(facts: ServerFacts): ServerCheck {
  return locks(facts, facts.tables, `pg_dump of the whole database locks each of its ${facts.tables} tables`);
}

/** PostgreSQL looks for rows that refer to the deleted one in each table with a foreign key to it, and locks the table and an index. */
function locksForSharedRow(facts: ServerFacts): ServerCheck {
  const { referencesToOne, mostReferenced } = facts;

  return locks(
    facts,
    referencesToOne * 2,
    `deleting a row of ${mostReferenced} locks the table and an index for each of the ${referencesToOne} foreign keys to it`,
  );
}

/**
 * The lock table has room for `max_locks_per_transaction` objects for each session and each prepared transaction. All sessions share it, so some
 * is left for the others.
 */
function locks({ settings }: ServerFacts, wanted: number, reason: string): ServerCheck {
  const { max_locks_per_transaction: value, max_connections, max_prepared_transactions } = settings;
  const sessions = max_connections + max_prepared_transactions;
  const least = Math.ceil((wanted * LEFT_FOR_OTHERS) / sessions);

  return check({
    setting: 'max_locks_per_transaction',
    value,
    needed: Math.ceil(least / LOCKS_STEP) * LOCKS_STEP,
    isEnough: value >= least,
    reason: `${reason}; there is room for ${value * sessions} locks`,
  });
}

/** While a new version is rolled out, or a run works beside the application, there are two pools. */
function connections({ settings, poolSize }: ServerFacts): ServerCheck {
  const { max_connections: value, superuser_reserved_connections, reserved_connections } = settings;
  const reserved = superuser_reserved_connections + reserved_connections;
  const processes = Math.max(0, Math.floor((value - reserved) / poolSize));

  return check({
    setting: 'max_connections',
    value,
    needed: 2 * poolSize + reserved,
    isEnough: processes >= 2,
    reason: `without the ${reserved} reserved ones, there is room for ${processes} processes with a pool of ${poolSize}; a run beside the application is one of them`,
  });
}

/** Autovacuum analyses a table after `autovacuum_analyze_threshold` changed rows and a part of its size. Small tables never have that many. */
function analyses({ settings, filled, neverAnalysed }: ServerFacts): ServerCheck {
  const { autovacuum, autovacuum_analyze_threshold: value } = settings;

  if (!autovacuum) {
    return check({
      setting: 'autovacuum',
      value: 'off',
      needed: 'on',
      isEnough: false,
      reason: '`autovacuum` or `track_counts` is off: no table is vacuumed or analysed',
    });
  }

  return {
    setting: 'autovacuum_analyze_threshold',
    value: String(value),
    needed: neverAnalysed > filled * MAY_BE_UNKNOWN ? `at most ${Math.min(value, SMALL_THRESHOLD)}, or run ANALYZE` : String(value),
    isEnough: neverAnalysed <= filled * MAY_BE_UNKNOWN,
    reason: `${neverAnalysed} of the ${filled} tenants' tables with 20 rows or more were never analysed; the planner guesses their sizes`,
  };
}

/** Each statement looks its tables up in the catalogs. */
function catalogs({ settings, catalogBytes }: ServerFacts): ServerCheck {
  const { shared_buffers: value } = settings;

  return check({
    setting: 'shared_buffers',
    value: megabytes(value),
    needed: megabytes(Math.ceil((catalogBytes * 2) / MEMORY_STEP) * MEMORY_STEP),
    isEnough: value >= catalogBytes,
    reason: `the catalogs have ${megabytes(catalogBytes)}, and should fit beside the data`,
  });
}

function check({
  value,
  needed,
  isEnough,
  ...rest
}: {
  readonly setting: string;
  readonly value: number | string;
  readonly needed: number | string;
  readonly isEnough: boolean;
  readonly reason: string;
}): ServerCheck {
  return { ...rest, value: String(value), needed: String(isEnough ? value : needed), isEnough };
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)}MB`;
}

/** A fifth more than one transaction needs. */
const LEFT_FOR_OTHERS = 1.2;

const LOCKS_STEP = 64;

const MEMORY_STEP = 128 * 1_048_576;

/** The part of tables that need no statistics, such as those that were filled a moment ago. */
const MAY_BE_UNKNOWN = 0.1;

const SMALL_THRESHOLD = 10;
