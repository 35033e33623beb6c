import type { TenantDatabase } from '../../database/tenant-database.js';
import type { RunSettings } from './run-settings.js';

/**
 * The commits of a run. Its tenants commit without waiting for the disk, and the run waits once for all of them: PostgreSQL writes its log in
 * order, so a commit that waits covers those before it. A server that crashes in between has lost the last tenants, each of them whole. The crash
 * also ends all sessions of the server, so a session that was there before a commit, and still is, proves that nothing was lost.
 */
export class Commits {
  readonly #database: TenantDatabase;
  readonly #waits: boolean;
  /** When a session of the server was first seen. */
  readonly #sessions = new Map<string, number>();
  /** When a tenant was sent to be committed. */
  readonly #sent = new Map<string, number>();

  private constructor(database: TenantDatabase, waits: boolean) {
    this.#database = database;
    this.#waits = waits;
  }

  /** With `tenant`, each commit waits. It does so too where the server has nothing that a last commit could wait for. */
  static async of(database: TenantDatabase, durability: Durability): Promise<Commits> {
    // PGlite is in this process, and falls with it
    if (durability === 'tenant' || !(await database.engine.takesScripts(undefined))) {
      return new Commits(database, true);
    }

    const [row] = await database.execute<{ may: boolean; sessions: string | null }>(START, [], undefined);
    const commits = new Commits(database, row?.may !== true);
    row?.sessions?.split(',').forEach(session => commits.onSession(session));

    return commits;
  }

  /** Those of a run that has nothing to do. */
  static ofNone(database: TenantDatabase): Commits {
    return new Commits(database, true);
  }

  /** Settings for the transaction of a tenant. */
  get settings(): RunSettings {
    return this.#waits ? [] : [['synchronous_commit', 'off']];
  }

  /** The tenants that were committed, and of which it is not known whether they are on disk. */
  get unconfirmed(): readonly string[] {
    return [...this.#sent.keys()];
  }

  /** To be called with the session before a tenant commits on it. */
  onSession(session: string | null | undefined): void {
    if (session != null && !this.#sessions.has(session)) {
      this.#sessions.set(session, performance.now());
    }
  }

  /** To be called with the time at which the tenant's work began. */
  committed(schemaName: string, sentAt: number): void {
    if (!this.#waits) {
      this.#sent.set(schemaName, sentAt);
    }
  }

  /**
   * Waits until all commits are on disk. Returns the tenants that the server may have lost, because it is not known to be the same since they
   * committed. They stay unconfirmed until `settled` is called with them.
   */
  async confirm(): Promise<readonly string[]> {
    if (this.#sent.size === 0) {
      return [];
    }

    const [row] = await this.#database.execute<{ session: string | null }>(WAIT, [], undefined);
    const since = this.#sessions.get(row?.session ?? '') ?? Infinity;
    const all = [...this.#sent];
    const unsure = all.filter(([, sentAt]) => sentAt < since).map(([schemaName]) => schemaName);
    this.settled(all.filter(([, sentAt]) => sentAt >= since).map(([schemaName]) => schemaName));
    this.onSession(row?.session);

    return unsure;
  }

  settled(schemaNames: readonly string[]): void {
    schemaNames.forEach(schemaName => this.#sent.delete(schemaName));
  }
}

/** Whether a run waits for the disk once, before it ends, or at the commit of each tenant. */
export type Durability = 'run' | 'tenant';

/**
 * The server process behind this statement, and when it started. Behind a pooler it may be another for each transaction. Null where another role
 * is set that may not see the start: the number of a process alone may be given again by a server that has crashed.
 */
export const SERVER_SESSION = `(select pg_backend_pid() || ' ' || backend_start from pg_stat_get_activity(pg_backend_pid()))`;

/** Writes an entry into the write-ahead log that nothing reads. A transaction that has written nothing does not wait for the disk. */
const WAIT = `select pg_logical_emit_message(true, 'landlord', ''), ${SERVER_SESSION} as session`;

/** Whether a last commit can wait for all, and the sessions that are there. Those whose start the role may not see are left out. */
const START =
  `select (select string_agg(pid || ' ' || backend_start, ',') from pg_stat_get_activity(null) where datid = ` +
  `(select oid from pg_database where datname = current_database())) as sessions, count(*) > 0 as may from pg_proc where proname = 'pg_logical_emit_message' and pronamespace = 'pg_catalog'::regnamespace ` +
  `and has_function_privilege(oid, 'execute')`;
