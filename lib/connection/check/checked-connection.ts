import { TenantChangedError } from '../../errors/index.js';
import { executeUnlessAborted, streamUnlessAborted } from '../pool/aborted-statements.js';
import { attachRollbackError, connectionWasLost, hasSqlState } from '../../postgres/sql-state.js';
import type { TenantIdentity } from '../../scope/tenant-identity.js';
import { assertSchemasSql, CHANGED, commitSql, isOfCheck, type HeldTenant } from './schema-check-sql.js';
import type { DatabaseConnection, Driver, Query, QueryResult } from '../statements/kysely-types.js';
import { addServed } from '../pool/tenants-of-client.js';
import { queryOf } from '../statements/settings-sql.js';
import { sendWithCheck, type Writing } from './lone-writes.js';
import { withSettings } from '../pool/message-around.js';
import { readFor, streamFor, type Reading } from './checked-reads.js';
import { passControls } from '../pool/control-calls.js';
import { clientOf, isOpenOn, type StatusClient } from '../pool/server-status.js';
import { controlOf, mayChangeMark, mayWrite, onlyLocks, schemasRenamedOrDropped, type Control } from '../statements/statement-kinds.js';
import type { SqlTarget } from '../statements/sql-target.js';
import type { CheckedConnectionOptions, CommitSettings, TenantCheck } from './tenant-check.js';
import { tenantsAfter, TransactionTenants } from './transaction-tenants.js';

/**
 * One connection of the pool, whose statements are held to their tenants. What reads is sent where the tenant is known to be who it was. What
 * writes is committed only if each name that it was sent for is the same schema's then: that is asked in the message that commits, and
 * costs no round trip. A single statement that writes gets a transaction for it.
 */
export class CheckedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  declare cancelQuery?: (...args: any[]) => Promise<void>;
  declare collectSessionInfo?: (...args: any[]) => Promise<void>;
  declare killSession?: (...args: any[]) => Promise<void>;

  readonly #driver: Driver;
  readonly #check: TenantCheck;
  readonly #settings: CommitSettings;
  readonly #client: StatusClient | undefined;
  readonly #alone: Reading & Writing;
  #transaction: TransactionTenants | undefined;
  /** Whether the transaction is rolled back already, and whoever began it has still to say so. */
  #hasEnded = false;

  constructor(inner: DatabaseConnection, { driver, check, settings }: CheckedConnectionOptions) {
    this.inner = inner;
    this.#driver = driver;
    this.#check = check;
    this.#settings = settings;
    this.#client = clientOf(inner);
    this.#alone = {
      check,
      confirm: own => this.#confirm(own),
      explain: (own, error, before) => check.explainLost(own, error, before, this.#ask),
      hasLostName: (own, before, cause) => check.hasLostName(own, before, cause, this.#ask),
      run: query => this.#run(query, undefined),
    };

    passControls(this, inner);
  }

  get transaction(): TransactionTenants | undefined {
    return this.#transaction;
  }

  executeQuery(query: Query, options?: object, target?: SqlTarget): Promise<QueryResult> {
    try {
      const control = controlOf(query.sql);

      // PostgreSQL requires some of these to come first, and accepts others in a failed transaction
      if (control !== undefined) {
        return this.#control(control, () => this.#run(query, options));
      }

      this.#followServer();
      const identity = this.#check.tenantOf(query, target);

      return mayChangeMark(query.sql)
        ? this.#noting(query.sql, this.#send(identity, query, options))
        : this.#send(identity, query, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #send(identity: TenantIdentity | undefined, query: Query, options: object | undefined): Promise<QueryResult> {
    if (identity === undefined) {
      return this.#hasTenants ? this.#checkNamesGivenUp(query.sql).then(() => this.#run(query, options)) : this.#run(query, options);
    }

    // to ask would take the snapshot before the lock. What comes after it asks, or the commit
    return this.#check.isTrusted(identity) || (this.#transaction !== undefined && onlyLocks(query.sql))
      ? this.#sendFor(identity, query, options)
      : this.#confirm(identity).then(() => this.#sendFor(identity, query, options));
  }

  /** What the process has granted itself changes no tenant. */
  #noting(sql: string, running: Promise<QueryResult>): Promise<QueryResult> {
    this.#transaction?.noteChangedMarks(sql);

    return this.#transaction === undefined ? running.finally(() => this.#check.outdateGranted(sql)) : running;
  }

  #run(query: Query, options: object | undefined): Promise<QueryResult> {
    return executeUnlessAborted(this.inner, withSettings(query), options);
  }

  #sendFor(identity: TenantIdentity, query: Query, options: object | undefined): Promise<QueryResult> {
    if (this.#transaction !== undefined) {
      this.#transaction.add(identity, this.#check.latest(identity));

      return this.#run(query, options);
    }

    // raw SQL may call what writes
    if (query.around?.after === undefined && !mayWrite(query.sql)) {
      return readFor(identity, this.#run(query, options), this.#alone);
    }

    // what can be cancelled is known to Kysely by its own message
    const sending =
      this.#settings.takesScripts && options === undefined ? sendWithCheck(this.inner, identity, query, this.#alone) : undefined;

    return sending ?? this.#inOwnTransaction(identity, query, options);
  }

  async *streamQuery(query: Query, chunkSize: number, options?: object): AsyncIterableIterator<QueryResult> {
    this.#followServer();
    const identity = this.#check.tenantOf(query);

    if (identity !== undefined && !this.#check.isTrusted(identity)) {
      await this.#confirm(identity);
    }

    const isAlone = this.#transaction === undefined && identity !== undefined && mayWrite(query.sql);
    const open = (): AsyncIterableIterator<QueryResult> => streamUnlessAborted(this.inner, query, { chunkSize, options });
    let failure: unknown;
    await (isAlone ? this.begin({}) : undefined);

    if (identity !== undefined) {
      this.#transaction?.add(identity, this.#check.latest(identity));
    }

    try {
      yield* identity === undefined || this.#transaction !== undefined ? open() : streamFor(identity, open, this.#alone);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      if (isAlone) {
        // a reader that stops early has written all the same
        await (failure === undefined ? this.commit().catch(error => this.#rollBackAfter(error)) : this.rollback());
      }
    }
  }

  begin(settings: object): Promise<void> {
    this.#hasEnded = false;
    this.#transaction = undefined;

    return this.#driver.beginTransaction(this.inner, settings).then(() => {
      this.#transaction = new TransactionTenants();
    });
  }

  commit(): Promise<void> {
    const tenants = this.#transaction?.heldBy(this.#check) ?? [];
    const committing = tenants.length === 0 ? this.#driver.commitTransaction(this.inner) : this.#commitFor(tenants);

    return committing.then(this.#onCommitted);
  }

  /** What could not be committed is rolled back: the connection is given back next. */
  async #rollBackAfter(error: unknown): Promise<never> {
    await this.rollback().catch((rollbackError: unknown) => attachRollbackError(error, rollbackError));
    throw error;
  }

  readonly #onCommitted = (): void => {
    this.#transaction?.granting.forEach(sql => this.#check.outdateGranted(sql));
    this.#transaction = undefined;
  };

  async rollback(): Promise<void> {
    const hasEnded = this.#hasEnded;
    this.#hasEnded = false;
    this.#transaction = undefined;
    await (hasEnded ? undefined : this.#driver.rollbackTransaction(this.inner));
  }

  get #hasTenants(): boolean {
    return this.#transaction?.isEmpty === false;
  }

  /** Raw SQL of several statements may begin or end a transaction unseen. Only `pg` tells what the server says. */
  #followServer(): void {
    const isOpen = isOpenOn(this.#client);

    if (isOpen === false) {
      this.#transaction = undefined;
    } else if (isOpen === true) {
      this.#transaction ??= new TransactionTenants();
    }
  }

  /** Runs SQL that begins or ends a transaction, and remembers what it did. */
  async #control(control: Control, run: () => Promise<QueryResult>): Promise<QueryResult> {
    if ((control.kind === 'commit' || control.kind === 'commit and chain') && this.#hasTenants) {
      await this.#assert(this.#transaction?.heldBy(this.#check) ?? []);
    }

    const result = await run();

    this.#hasEnded &&= control.kind !== 'begin';
    this.#transaction = tenantsAfter(control, this.#transaction);

    return result;
  }

  async #inOwnTransaction(identity: TenantIdentity, query: Query, options: object | undefined): Promise<QueryResult> {
    const before = this.#check.latest(identity);
    await this.begin({});
    this.#transaction?.add(identity, before);
    this.#settings.log('begin');

    try {
      const result = await this.#run(query, options);
      await this.commit();
      this.#settings.log('commit');

      return result;
    } catch (error) {
      await this.rollback().catch((rollbackError: unknown) => attachRollbackError(error, rollbackError));
      this.#settings.log('rollback');
      throw await this.#alone.explain(identity, error, before);
    }
  }

  async #confirm(identity: TenantIdentity): Promise<void> {
    await this.#check.confirm(identity, this.#ask, { isInTransaction: this.#transaction !== undefined });
  }

  /** What the transaction itself is about to rename or drop is looked at now, as it is not there any more at the end. */
  async #checkNamesGivenUp(sql: string): Promise<void> {
    for (const schemaName of schemasRenamedOrDropped(sql)) {
      const given = this.#transaction?.take(schemaName) ?? [];
      const changed = await this.#check.firstChanged(given, this.#ask);

      if (changed !== undefined) {
        throw new TenantChangedError(changed.schemaName);
      }
    }
  }

  /** Before a commit that cannot be part of the same message. In a failed transaction it is a rollback, and asserts nothing. */
  async #assert(tenants: readonly HeldTenant[]): Promise<void> {
    try {
      await this.#ask(queryOf(assertSchemasSql(tenants), []));
    } catch (error) {
      await (hasSqlState(error, ['25P02']) ? undefined : this.#explain(error, tenants));
    }
  }

  async #commitFor(tenants: readonly HeldTenant[]): Promise<void> {
    addServed(
      this.#client,
      tenants.map(({ identity }) => identity),
    );

    try {
      if (this.#settings.takesScripts) {
        await this.inner.executeQuery(queryOf(commitSql(tenants), []));
      } else {
        await this.#ask(queryOf(assertSchemasSql(tenants), []));
        await this.#driver.commitTransaction(this.inner);
      }
    } catch (error) {
      await this.#explain(error, tenants);
    }
  }

  async #explain(error: unknown, tenants: readonly HeldTenant[]): Promise<void> {
    // in a transaction that has failed the commit is not reached, and would be a rollback
    if (hasSqlState(error, ['25P02'])) {
      return this.#driver.commitTransaction(this.inner);
    }

    if (connectionWasLost(error)) {
      // fails like any other on this connection, which is given back then
      await this.#driver.commitTransaction(this.inner).catch(() => undefined);
    }

    // what a constraint or trigger that was deferred says is the user's
    if (hasSqlState(error, CHANGED)) {
      await this.#driver.rollbackTransaction(this.inner);
      this.#hasEnded = true;
      this.#transaction = undefined;
      const identities = tenants.map(({ identity }) => identity);
      throw await this.#check.whatChanged(identities, error, this.#ask, { isOnlyCheck: isOfCheck(error) });
    }

    throw error;
  }

  readonly #ask = (query: Query): Promise<Record<string, unknown>[]> => this.inner.executeQuery(query).then(({ rows }) => rows);
}
