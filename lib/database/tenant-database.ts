import { AsyncLocalStorage } from 'node:async_hooks';
import type { Configuration, Transaction } from '@mikro-orm/core';
import { CLOSE_AFTER_USE } from '../connection/pool/server-status.js';
import { forLibrary, inLibraryTransaction, withoutGuard } from '../connection/statements/sql-target.js';
import { OnlyConnectionError, OrmSelectionError } from '../errors/index.js';
import { attachRollbackError } from '../postgres/sql-state.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedOrm } from '../scope/wrapped-orm.js';
import type { ResolvedTenantsOptions } from '../tenant/options.js';
import { ChangeFeed } from './change-feed.js';
import { Engine } from './engine.js';
import { hasEnded } from './on-commit.js';
import { SchemaIdentities } from './schema-identities.js';
import { TenantHosts } from './tenant-hosts.js';
import { TenantsTable } from './tenants-table.js';

/** The database of one ORM with tenants, for the library's own statements. It is stored as an extension of the ORM's config. */
export class TenantDatabase {
  static readonly EXTENSION = '@landlord/mikro-orm/database';

  readonly orm: WrappedOrm;
  readonly rules: TenantRules;
  readonly engine: Engine;
  readonly tenants: TenantsTable;
  /** Undefined without the option `domains`. */
  readonly hosts: TenantHosts | undefined;
  /** Reports changed tenants inside this process. */
  readonly changes = new ChangeFeed();
  readonly identities: SchemaIdentities;
  /** Runs what outlives the request that starts it in the async context in which the ORM was started. */
  readonly inContextOfStart: <Result>(fn: () => Result) => Result = AsyncLocalStorage.snapshot();
  readonly #closers: (() => Promise<void>)[] = [];
  /** Why nothing can be sent any more on a connection of `onOneConnection`. */
  readonly #failures = new WeakMap<Transaction, { readonly error: unknown }>();

  /** @throws OrmSelectionError `ORM_WITHOUT_TENANTS` */
  static of(config: Configuration): TenantDatabase {
    const database = TenantDatabase.find(config);

    if (database === undefined) {
      throw OrmSelectionError.withoutTenants();
    }

    return database;
  }

  /** The same, or undefined for an ORM without tenants, and for a config that has no ORM. */
  static find(config: Configuration): TenantDatabase | undefined {
    return config.getExtension<TenantDatabase>(TenantDatabase.EXTENSION);
  }

  constructor(orm: WrappedOrm, rules: TenantRules) {
    this.orm = orm;
    this.rules = rules;
    this.engine = new Engine(this);
    this.tenants = new TenantsTable(orm, rules);
    this.hosts = TenantHosts.of(orm, rules);
    this.identities = new SchemaIdentities(this);
    this.changes.subscribe(() => this.identities.forget());
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

  /** Runs one statement of the library's own, in the transaction if there is one, and in the caller's if that has the only connection. */
  async execute<Row = unknown>(sql: string, params: readonly unknown[], ctx: Transaction | undefined): Promise<Row[]> {
    const transaction = ctx ?? this.onlyTransaction;
    const failure = transaction && this.#failures.get(transaction);

    if (failure !== undefined) {
      throw failure.error;
    }

    return forLibrary(this.orm.config, () => this.orm.em.getDriver().execute<Row[]>(sql, [...params], 'all', transaction));
  }

  /** The transaction that the caller is in, if no other connection can be had before it ends. */
  get onlyTransaction(): Transaction | undefined {
    const ctx: Transaction | undefined = this.engine.hasOneConnection ? this.orm.em.getTransactionContext() : undefined;

    return ctx === undefined || hasEnded(ctx) ? undefined : ctx;
  }

  /**
   * Runs `fn` on a connection of its own. The guard sets no path and no role on it: `fn` does so itself. Relies on `getClient()` of MikroORM 7
   * returning a Kysely instance. The result of its `connection()` is accepted wherever a transaction is.
   *
   * @throws OnlyConnectionError `ONLY_CONNECTION_TAKEN` if it would wait for the caller's own transaction
   */
  async onOneConnection<Result>(fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
    if (this.onlyTransaction !== undefined) {
      throw new OnlyConnectionError();
    }

    const connection = this.orm.driver.getConnection('write');
    await connection.ensureConnection();

    return connection
      .getClient()
      .connection()
      .execute((ctx: Transaction) => withoutGuard(this.orm.config, () => fn(ctx)));
  }

  /** Has a connection of `onOneConnection` closed when `fn` has ended: nobody may get what could not be taken back on it. Never fails. */
  async closeAfterUse(ctx: Transaction): Promise<void> {
    const close = (): Promise<unknown> => this.execute(CLOSE_AFTER_USE, [], ctx);

    try {
      await close();
    } catch {
      // a connection that is not ours may be in a transaction that has failed
      await this.execute('rollback', [], ctx).catch(() => undefined);
      await close().catch(() => undefined);
    }
  }

  /**
   * Runs `fn` in a transaction of its own, on the given connection if there is one. It does not use `transactional()` of MikroORM 7: if the
   * connection is lost, the rollback fails, and Kysely then never releases the connection's place in the pool. `lost-connections.ts` fixes that,
   * but not in a Kysely dialect of the user's own. Here the connection is always released.
   */
  async inTransaction<Result>(fn: (ctx: Transaction) => Promise<Result>, on?: Transaction): Promise<Result> {
    if (on === undefined) {
      return this.onOneConnection(connection => this.inTransaction(fn, connection));
    }

    return inLibraryTransaction(this.orm.config, () => this.#inTransactionOn(on, fn));
  }

  /** Registers `close` to be called before the ORM's connections are closed. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Calls the functions given to `onClose`, the latest first. */
  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) {
      await close();
    }
  }

  async #inTransactionOn<Result>(on: Transaction, fn: (ctx: Transaction) => Promise<Result>): Promise<Result> {
    const connection = this.orm.driver.getConnection('write');
    const ctx: Transaction = await on.startTransaction().execute();

    try {
      const result = await fn(ctx);
      await connection.commit(ctx);

      return result;
    } catch (error) {
      try {
        await connection.rollback(ctx);
      } catch (rollbackError) {
        // the connection may be lost. Code that tries again has to know
        attachRollbackError(error, rollbackError);
        // to Kysely the transaction goes on, and what else is sent on its connection would wait for its end
        this.#failures.set(on, { error: rollbackError });
      }

      throw error;
    }
  }
}
