import type { Transaction } from '@mikro-orm/core';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import { isPglite } from '../tenant/is-pglite.js';

/** The abilities of the database and its connections. They are read from the database where possible, not from a setting. */
export class Engine {
  readonly #database: EngineDatabase;
  #facts: Promise<EngineFacts> | undefined;
  #session: Promise<Session> | undefined;

  constructor(database: EngineDatabase) {
    this.#database = database;
  }

  /**
   * Whether the database takes several commands at once, in one message or in one block of PL/pgSQL. PGlite takes no such message. On Citus,
   * it fails if its commands create distributed tables. PL/pgSQL may have been removed, or not be granted.
   */
  async takesScripts(ctx: Transaction | undefined): Promise<boolean> {
    return (await this.#read(ctx)).takesScripts;
  }

  /** What there is of Citus. Undefined where its extension is not installed in the database. */
  async citus(ctx: Transaction | undefined): Promise<CitusFacts | undefined> {
    return (await this.#read(ctx)).citus;
  }

  /** The same, read again where there was none: it may have been installed since. */
  async citusByNow(ctx: Transaction | undefined): Promise<CitusFacts | undefined> {
    if ((await this.citus(ctx)) === undefined) {
      this.#facts = undefined;
    }

    return this.citus(ctx);
  }

  /** How many connections can be used at once: the size of the pool, or one on PGlite and inside a transaction. */
  connectionsAtOnce(): number {
    return this.#database.isInTransaction ? 1 : this.#poolSize;
  }

  /** Whether what is sent outside of an open transaction waits for its end. */
  get hasOneConnection(): boolean {
    return this.#poolSize === 1;
  }

  get #poolSize(): number {
    // the default of `pg`
    return this.#isPglite() ? 1 : (this.#database.orm.config.get('pool').max ?? 10);
  }

  /** The role of the connections of this ORM, and the `search_path` that they start with. */
  session(ctx: Transaction | undefined): Promise<Session> {
    this.#session ??= this.#readSession(ctx).catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });

    return this.#session;
  }

  #isPglite(): boolean {
    return isPglite(this.#database.orm.config.getPlatform());
  }

  async #readSession(ctx: Transaction | undefined): Promise<Session> {
    // `reset_val` is the initial path of the session. The transaction may have set another one
    const [row] = await this.#database.execute<{ role: string; path: string }>(
      `select session_user::text as role, reset_val as path from pg_settings where name = 'search_path'`,
      [],
      ctx,
    );

    return { role: row?.role, path: (row?.path ?? '').split(',').map(name => name.replaceAll(/[\s"]/g, '').toLowerCase()) };
  }

  #read(ctx: Transaction | undefined): Promise<EngineFacts> {
    this.#facts ??= this.#readFacts(ctx).catch((error: unknown) => {
      this.#facts = undefined;
      throw error;
    });

    return this.#facts;
  }

  async #readFacts(ctx: Transaction | undefined): Promise<EngineFacts> {
    if (this.#isPglite()) {
      return { takesScripts: false, citus: undefined };
    }

    const [row] = await this.#database.execute<{ plpgsql: boolean; citus: string | null }>(FACTS, [], ctx);

    if (row?.citus == null) {
      return { takesScripts: row?.plpgsql === true, citus: undefined };
    }

    const [node] = await this.#database.execute<{ coordinator: boolean }>('select citus_is_coordinator() as coordinator', [], ctx);

    return { takesScripts: false, citus: { version: row.citus, isCoordinator: node?.coordinator === true } };
  }
}

const FACTS =
  `select exists (select from pg_language where lanname = 'plpgsql' and has_language_privilege(oid, 'usage')) as plpgsql, ` +
  `(select extversion from pg_extension where extname = 'citus') as citus`;

interface EngineFacts {
  readonly takesScripts: boolean;
  readonly citus: CitusFacts | undefined;
}

/** What is known of Citus. */
export interface CitusFacts {
  readonly version: string;
  /** Schemas are created, changed and moved on the coordinator alone. */
  readonly isCoordinator: boolean;
}

interface Session {
  readonly role: string | undefined;
  readonly path: readonly string[];
}

/** The parts of `TenantDatabase` that are used here. */
interface EngineDatabase {
  readonly orm: Pick<WrappedOrm, 'config'>;
  readonly isInTransaction: boolean;
  execute<Row>(sql: string, params: readonly unknown[], ctx: Transaction | undefined): Promise<Row[]>;
}
