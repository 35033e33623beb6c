import { createHash, randomUUID } from 'node:crypto';
import type { Blocker } from '../../errors/index.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { LOCK_KEY } from '../../database/tenant-lock.js';
import type { RunNotice } from './run-types.js';

/**
 * Finds out which sessions hold the locks that a run waits for. While a tenant takes longer, the server is asked who blocks it, on a
 * connection of the pool that is free. A session of the run is known by its `application_name`.
 */
export class LockWatch {
  readonly #database: TenantDatabase;
  readonly #notify: (notice: RunNotice) => void;
  readonly #run = `landlord ${randomUUID().slice(0, 4)}`;
  readonly #started = new Map<string, number>();
  readonly #busy = new Set<string>();
  readonly #seen = new Map<string, readonly Blocker[]>();
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> | undefined;

  constructor(database: TenantDatabase, notify: (notice: RunNotice) => void) {
    this.#database = database;
    this.#notify = notify;
  }

  /** The `application_name` of connections that migrate the tenant: the run and the tenant, with a hash where PostgreSQL would cut it off. */
  applicationName(schemaName: string): string {
    const name = `${this.#run} ${schemaName}`;

    // two that begin alike must not have one name, as each would be blamed for the other's locks
    return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME - HASH - 1)}~${hashOf(schemaName)}`;
  }

  /** Runs `fn`, which migrates these tenants. */
  async during<Result>(schemaNames: readonly string[], fn: () => Promise<Result>): Promise<Result> {
    for (const schemaName of schemaNames) {
      this.#started.set(schemaName, performance.now());
      this.#seen.delete(schemaName);
    }

    this.#watch();

    try {
      return await fn();
    } finally {
      schemaNames.forEach(schemaName => this.#started.delete(schemaName));
    }
  }

  /** Tells who has the tenant's lock. */
  isBusy(schemaName: string): void {
    this.#busy.add(schemaName);
    this.#watch();
  }

  /** The sessions that blocked the tenant, else those that hold locks on its tables now. */
  async blockersOf(schemaName: string): Promise<readonly Blocker[]> {
    await this.#look;

    return this.#seen.get(schemaName) ?? this.#ask(HOLDERS_OF_TABLES, [schemaName]);
  }

  /** The sessions that hold the tenant's lock. */
  holdersOf(schemaName: string): Promise<readonly Blocker[]> {
    return this.#ask(HOLDERS_OF_TENANT, [schemaName]);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#look;
  }

  #watch(): void {
    // with one connection there is none left to ask on
    if (this.#timer === undefined && this.#database.engine.connectionsAtOnce() > 1) {
      this.#timer = setInterval(() => {
        this.#look ??= this.#lookOnce().finally(() => {
          this.#look = undefined;
        });
      }, INTERVAL_MS).unref();
    }
  }

  async #lookOnce(): Promise<void> {
    const now = performance.now();
    const slow = new Map(
      [...this.#started].filter(([, start]) => now - start > INTERVAL_MS).map(([name]) => [this.applicationName(name), name]),
    );
    const busy = [...this.#busy];
    this.#busy.clear();

    if (slow.size > 0) {
      const rows = await this.#rows<WaitingRow>(BLOCKERS, [[...slow.keys()]]);

      for (const [name, schemaName] of slow) {
        const blockers = rows.filter(({ waiting }) => waiting === name).map(blockerOf);

        if (blockers.length > 0) {
          this.#seen.set(schemaName, blockers);
          this.#tell(schemaName, blockers);
        }
      }
    }

    for (const schemaName of busy) {
      this.#tell(schemaName, await this.holdersOf(schemaName));
    }
  }

  #tell(schemaName: string, blockers: readonly Blocker[]): void {
    const news = blockers.filter(
      ({ pid, application }) => !this.#told.has(`${schemaName} ${pid}`) && application?.startsWith(this.#run) !== true,
    );
    news.forEach(({ pid }) => this.#told.add(`${schemaName} ${pid}`));

    if (news.length > 0) {
      this.#notify({ kind: 'blocked', schemaName, blockers: news });
    }
  }

  async #ask(sql: string, params: readonly unknown[]): Promise<readonly Blocker[]> {
    return (await this.#rows(sql, params)).map(blockerOf);
  }

  // what is told of others is not worth a failure
  async #rows<Row extends BlockerRow>(sql: string, params: readonly unknown[]): Promise<Row[]> {
    try {
      return await this.#database.execute<Row>(sql, params, undefined);
    } catch {
      return [];
    }
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH);
}

function blockerOf(row: BlockerRow): Blocker {
  return {
    pid: row.pid,
    application: row.application ?? undefined,
    user: row.username ?? undefined,
    state: row.state ?? undefined,
    forMs: row.for_ms ?? undefined,
    query: row.query ?? undefined,
  };
}

interface BlockerRow {
  readonly pid: number;
  readonly application: string | null;
  readonly username: string | null;
  readonly state: string | null;
  readonly for_ms: number | null;
  readonly query: string | null;
}

interface WaitingRow extends BlockerRow {
  readonly waiting: string;
}

/** What PostgreSQL keeps of an `application_name`, in bytes. */
const LONGEST_NAME = 63;

/** The letters of a hash. */
const HASH = 8;

const INTERVAL_MS = 500;

const ACTIVITY =
  'a.application_name as application, a.usename::text as username, a.state, left(a.query, 200) as query, ' +
  '(extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.state_change)) * 1000)::float8 as for_ms';

const BLOCKERS =
  `select w.application_name as waiting, blocking.pid, ${ACTIVITY} from pg_stat_activity w ` +
  'cross join lateral unnest(pg_blocking_pids(w.pid)) as blocking(pid) left join pg_stat_activity a on a.pid = blocking.pid ' +
  `where w.datname = current_database() and w.wait_event_type = 'Lock' and w.application_name in (?)`;

// an advisory lock with one key is kept as its two halves
const HOLDERS_OF_TENANT =
  `select l.pid, ${ACTIVITY} from pg_locks l left join pg_stat_activity a on a.pid = l.pid ` +
  `where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and (l.classid::bigint << 32 | l.objid::bigint) = ${LOCK_KEY} ` +
  'and l.database = (select oid from pg_database where datname = current_database())';

const HOLDERS_OF_TABLES =
  `select distinct on (l.pid) l.pid, ${ACTIVITY} from pg_locks l join pg_class c on c.oid = l.relation ` +
  'join pg_namespace n on n.oid = c.relnamespace left join pg_stat_activity a on a.pid = l.pid ' +
  'where n.nspname = ? and l.granted and l.pid <> pg_backend_pid() ' +
  'and l.database = (select oid from pg_database where datname = current_database())';
