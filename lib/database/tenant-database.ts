import type { Configuration, Transaction } from '@mikro-orm/core';
import { forLibrary, inLibraryTransaction, withoutGuard } from '../connection/sql-target.js';
import { OrmSelectionError } from '../errors/index.js';
import { attachRollbackError } from '../postgres/sql-state.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import type { ResolvedTenantsOptions } from '../tenant/options.js';
import { ChangeFeed } from './change-feed.js';
import { Engine } from './engine.js';
import { TenantsTable } from './tenants-table.js';

/** The database of one ORM with tenants, for the library's own statements. Kept as an extension of the ORM's config. */
export class TenantDatabase {
  static readonly EXTENSION = '@landlord/mikro-orm/database';

  readonly orm: WrappedOrm;
  readonly rules: TenantRules;
  readonly engine: Engine;
  readonly tenants: TenantsTable;
  /** Tells this process of tenants that it has changed itself. */
  readonly changes = new ChangeFeed();
  readonly #closers: (() => Promise<void>)[] = [];

  /** @throws OrmSelectionError `ORM_WITHOUT_TENANTS` */
  static of(config: Configuration): TenantDatabase {
    const database = config.getExtension<TenantDatabase>(TenantDatabase.EXTENSION);

    if (database === undefined) {
      throw OrmSelectionError.withoutTenants();
    }

    return database;
  }

  constructor(orm: WrappedOrm, rules: TenantRules) {
    this.orm = orm;
    this.rules = rules;
    this.engine = new Engine(this);
    this.tenants = new TenantsTable(orm, rules);
    this.changes.subscribe((...names) => rules.identities.outdate(names));
    rules.identities.onEnd = name => this.changes.publish(name);
  }

  get options(): ResolvedTenantsOptions {
    return this.rules.options;
  }

  get publicSchema(): string {
    return this.rules.publicSchema;
  }

  get isInTransaction(): boolean {
    return this.orm.em.isInTransaction();
  }

  /** Runs one statement of the library's own, in the transaction if there is one. */
  async execute<Row = unknown>(sql: string, params: readonly unknown[], ctx: Transaction | undefined): Promise<Row[]> {
    return forLibrary(this.orm.config, () => this.orm.em.getDriver().execute<Row[]>(sql, [...params], 'all', ctx));
  }

  /**
   * Runs `fn` on one connection that nobody else uses meanwhile; `fn` sets on it what it needs. Relies on Kysely's `connection()`, which
   * MikroORM 7 gives as the connection's client. What it gives is accepted wherever a transaction is.
   */
  async onOneConnection<Result>(fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
    const connection = this.orm.em.getConnection('write');
    await connection.ensureConnection();

    return connection
      .getClient()
      .connection()
      .execute((ctx: Transaction) => withoutGuard(this.orm.config, () => fn(ctx)));
  }

  /**
   * Runs `fn` in a transaction of its own, on the given connection where there is one. It does not use MikroORM 7's `transactional()`: where
   * the connection is lost its rollback fails, and Kysely then never gives that connection's place in the pool back. `lost-connections.ts`
   * sees to that, but cannot in a Kysely of the user's own. Here the connection is released whatever happens.
   */
  async inTransaction<Result>(fn: (ctx: Transaction) => Promise<Result>, on?: Transaction): Promise<Result> {
    if (on === undefined) {
      return this.onOneConnection(connection => this.inTransaction(fn, connection));
    }

    return inLibraryTransaction(this.orm.config, () => this.#inTransactionOn(on, fn));
  }

  /** Has `close` called before the ORM's connections are closed. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Closes what other parts keep open beside the pool, the latest first. */
  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) {
      await close();
    }
  }

  async #inTransactionOn<Result>(on: Transaction, fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
    const connection = this.orm.em.getConnection('write');
    const ctx: Transaction = await on.startTransaction().execute();

    try {
      const result = await fn(ctx);
      await connection.commit(ctx);

      return result;
    } catch (error) {
      try {
        await connection.rollback(ctx);
      } catch (rollbackError) {
        // it may have no connection to roll back on, which whoever tries again has to know
        attachRollbackError(error, rollbackError);
      }

      throw error;
    }
  }
}
