import type { Transaction } from '@mikro-orm/core';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import { isPglite } from '../tenant/is-pglite.js';

/** What the database and its connections can do. It is asked of the database where that is possible, not of a setting. */
export class Engine {
  readonly #database: EngineDatabase;
  #takesScripts: Promise<boolean> | undefined;
  #session: Promise<Session> | undefined;

  constructor(database: EngineDatabase) {
    this.#database = database;
  }

  /**
   * Whether the database takes several commands in one message. PGlite does not. Neither does Citus: a message of several commands that
   * make distributed tables fails there.
   */
  takesScripts(ctx: Transaction | undefined): Promise<boolean> {
    this.#takesScripts ??= this.#askForScripts(ctx).catch((error: unknown) => {
      this.#takesScripts = undefined;
      throw error;
    });

    return this.#takesScripts;
  }

  /** How many connections work may take at once: what the pool has, but one on PGlite and inside a transaction. */
  connectionsAtOnce(): number {
    const { config } = this.#database.orm;
    const hasOne = this.#isPglite() || this.#database.isInTransaction;

    // `pg` has ten connections in a pool that says nothing
    return hasOne ? 1 : (config.get('pool').max ?? 10);
  }

  /** What the connections of this ORM are: their role, and the schemas on the path that they begin with. */
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
    // what a session begins with, as this transaction may have set another
    const [row] = await this.#database.execute<{ role: string; path: string }>(
      `select session_user::text as role, reset_val as path from pg_settings where name = 'search_path'`,
      [],
      ctx,
    );

    return { role: row?.role, path: (row?.path ?? '').split(',').map(name => name.replaceAll(/[\s"]/g, '').toLowerCase()) };
  }

  async #askForScripts(ctx: Transaction | undefined): Promise<boolean> {
    if (this.#isPglite()) {
      return false;
    }

    return (await this.#database.execute(`select 1 from pg_extension where extname = 'citus'`, [], ctx)).length === 0;
  }
}

interface Session {
  readonly role: string | undefined;
  readonly path: readonly string[];
}

/** What is used of the ORM's database. */
interface EngineDatabase {
  readonly orm: Pick<WrappedOrm, 'config'>;
  readonly isInTransaction: boolean;
  execute<Row>(sql: string, params: readonly unknown[], ctx: Transaction | undefined): Promise<Row[]>;
}
