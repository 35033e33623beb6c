import type { Transaction } from '@mikro-orm/core';
import { addHint } from '../../errors/hint-of.js';
import { MigrationError, TenantNodeUnavailableError } from '../../errors/index.js';
import { connectionWasLost, hasSqlState, isConflict, isLockTimeout } from '../../postgres/sql-state.js';
import { fitsBlock, StatementBlock } from '../../postgres/statement-block.js';
import { splitStatements } from '../../postgres/transaction-statements.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { shardsTenants } from '../../tenant/citus-options.js';
import { remedyFor } from '../set/citus/lint.js';

/**
 * How statements are sent. `message`: several in one, as fast as can be. `block`: in a `do`, whose error tells which one failed; a time-out of the
 * server is for all of them. `singly`: each on its own, with a time-out for each.
 */
export type Way = 'message' | 'block' | 'singly';

/** What is done before the first statement, in the same message where that is possible. */
export interface Opening {
  /** A `select`, such as one for a lock. It comes before the savepoint, so that it is not taken back. */
  readonly first: string;
  /** A condition. Where it holds, nothing is done before `check` was called. */
  readonly doubt: string;
  /** Refuses what must not be done. */
  check(): Promise<void>;
}

/** A statement and its migration. Statements of the library have no migration. */
interface Statement {
  readonly sql: string;
  readonly migration: string | undefined;
}

/**
 * Collects the statements of one transaction and sends them in as few messages as possible: all at once if the database takes several
 * commands at once, otherwise one by one. Call `send()` before any other statement that has to run after them.
 */
export class Script {
  readonly #database: TenantDatabase;
  readonly #schemaName: string;
  readonly #ctx: Transaction;
  readonly #way: Way;
  #statements: Statement[] = [];
  #ownFailure: unknown;
  #opening: Opening | undefined;

  constructor(
    database: TenantDatabase,
    schemaName: string,
    { ctx, way, opening }: { readonly ctx: Transaction; readonly way: Way; readonly opening?: Opening | undefined },
  ) {
    this.#database = database;
    this.#schemaName = schemaName;
    this.#ctx = ctx;
    this.#way = way;
    this.#opening = opening;
  }

  /** Whether the error is of a statement that is none of a migration's. */
  isOwnFailure(error: unknown): boolean {
    return error !== undefined && error === this.#ownFailure;
  }

  get isEmpty(): boolean {
    return this.#statements.length === 0;
  }

  add(sql: string, migration?: string): void {
    this.#statements.push({ sql, migration });
  }

  /** @throws MigrationError `MIGRATION_FAILED` with the migration and the statement, or the error of a statement that is none of a migration's. */
  async send(): Promise<void> {
    try {
      await this.#send();
    } catch (error) {
      this.#ownFailure = error instanceof MigrationError ? undefined : error;
      throw error;
    }
  }

  async #send(): Promise<void> {
    const statements = this.#statements;
    this.#statements = [];
    const opening = this.#opening;
    this.#opening = undefined;
    const isTogether = this.#way !== 'singly' && statements.length > 1 && (await this.#database.engine.takesScripts(this.#ctx));

    if (opening !== undefined && isTogether && this.#way === 'message') {
      return this.#sendWithOpening(statements, opening);
    }

    if (opening !== undefined) {
      await this.#execute(opening.first);
      await opening.check();
    }

    if (!isTogether) {
      await this.#sendSingly(statements);
    } else if (this.#way === 'message') {
      await this.#sendAsMessage(statements);
    } else {
      await this.#sendAsBlock(statements);
    }
  }

  async #sendWithOpening(statements: readonly Statement[], opening: Opening): Promise<void> {
    try {
      await this.#execute(
        scriptFrom([
          opening.first,
          SAVEPOINT,
          `select pg_catalog.int4div(1, (not (${opening.doubt}))::pg_catalog.int4)`,
          ...statements.map(({ sql }) => sql),
          RELEASE,
        ]),
      );
    } catch (error) {
      this.#refuseLost(statements, error);

      // the first statement has failed, or nothing has run because the message does not parse
      if (!(await this.#takeBack())) {
        throw isLockTimeout(error) ? error : ((await this.#findUnreadable(statements)) ?? error);
      }

      await opening.check();
      await (hasSqlState(error, DOUBTFUL) ? this.#sendAsMessage(statements) : this.#sendAgain(statements, error));
    }
  }

  async #sendAsMessage(statements: readonly Statement[]): Promise<void> {
    // a separate message, because nothing runs of a message that does not parse
    await this.#execute(SAVEPOINT);

    try {
      await this.#execute(scriptFrom([...statements.map(({ sql }) => sql), RELEASE]));
    } catch (error) {
      this.#refuseLost(statements, error);
      await this.#takeBack();
      await this.#sendAgain(statements, error);
    }
  }

  #refuseLost(statements: readonly Statement[], error: unknown): void {
    if (connectionWasLost(error) || isConflict(error)) {
      throw failureOf(statements, undefined, this.#schemaName, error);
    }
  }

  /** Takes back what a message did that has failed. False if it has not come to its savepoint. */
  async #takeBack(): Promise<boolean> {
    try {
      await this.#execute(`rollback to savepoint ${NAME}`);
    } catch (error) {
      if (hasSqlState(error, NO_SAVEPOINT)) {
        return false;
      }

      throw error;
    }

    // inside a savepoint, PostgreSQL would not let a value be used that was added to an enum of the same transaction
    await this.#execute(RELEASE);

    return true;
  }

  /** In a way that tells which statement fails. */
  async #sendAgain(statements: readonly Statement[], error: unknown): Promise<void> {
    await (isLockTimeout(error) ? this.#sendWithoutWaiting(statements) : this.#sendAsBlock(statements));
  }

  /** The error of the statement that PostgreSQL cannot read. In a transaction that has failed, it reads what is sent and runs none of it. */
  async #findUnreadable(statements: readonly Statement[]): Promise<unknown> {
    for (const { sql, migration } of statements.filter(statement => statement.migration !== undefined)) {
      const error = await this.#execute(scriptFrom(['select', sql])).catch((own: unknown) => own);

      if (error !== undefined && migration !== undefined && !hasSqlState(error, HAS_FAILED)) {
        return MigrationError.failed(migration, this.#schemaName, error, sql);
      }
    }

    return undefined;
  }

  /** Only to find the statement: it has been waited for the lock, and whoever uses the table waits behind. */
  async #sendWithoutWaiting(statements: readonly Statement[]): Promise<void> {
    await this.#execute(HARDLY_WAIT);
    await this.#sendAsBlock(statements);
    await this.#execute(WAIT_AGAIN);
  }

  async #sendAsBlock(statements: readonly Statement[]): Promise<void> {
    if (!statements.every(({ sql }) => fitsBlock(sql))) {
      return this.#sendSingly(statements);
    }

    const block = new StatementBlock();
    statements.forEach(({ sql }) => block.execute(sql));

    try {
      await this.#execute(block.sql);
    } catch (error) {
      throw failureOf(statements, block, this.#schemaName, error);
    }
  }

  async #sendSingly(statements: readonly Statement[]): Promise<void> {
    // Citus refuses some messages of several statements, on its nodes alone
    const isCitus = (await this.#database.engine.citus(this.#ctx)) !== undefined;

    for (const { sql, migration } of isCitus ? statements.flatMap(splitOf) : statements) {
      try {
        await this.#execute(sql);
      } catch (error) {
        const remedy = isCitus ? remedyFor(sql, { isSharded: shardsTenants(this.#database.options.citus) }) : undefined;

        if (remedy !== undefined) {
          addHint(error, remedy);
        }

        throw migration === undefined || error instanceof TenantNodeUnavailableError
          ? error
          : MigrationError.failed(migration, this.#schemaName, error, sql);
      }
    }
  }

  async #execute(sql: string): Promise<void> {
    await this.#database.orm.em.getDriver().execute(sql, [], 'run', this.#ctx);
  }
}

/** The error of a block of statements, with the statement that failed. One that is none of a migration's keeps its own error. */
function failureOf(statements: readonly Statement[], block: StatementBlock | undefined, schemaName: string, error: unknown): unknown {
  const failed = statements[block?.failedAt(error) ?? -1];

  if (failed !== undefined) {
    return failed.migration === undefined ? error : MigrationError.failed(failed.migration, schemaName, error, failed.sql);
  }

  // such as at the commit, or where the connection was lost
  const last = statements.findLast(({ migration }) => migration !== undefined)?.migration;

  return last === undefined ? error : MigrationError.failed(last, schemaName, error);
}

function splitOf({ sql, migration }: Statement): readonly Statement[] {
  return splitStatements(sql).map(each => ({ sql: each, migration }));
}

/** Joins statements to one message. The semicolon goes on its own line, because a statement may end with a comment. */
export function scriptFrom(statements: readonly string[]): string {
  return statements.map(withoutEnd).join('\n;\n');
}

function withoutEnd(sql: string): string {
  const text = sql.trimEnd();

  return text.endsWith(';') ? text.slice(0, -1) : sql;
}

const NAME = 'landlord_script';

/** The savepoint to which a message is taken back that fails. */
const SAVEPOINT = `savepoint ${NAME}`;

const RELEASE = `release savepoint ${NAME}`;

/** SQLSTATE of a division by zero. */
const DOUBTFUL = ['22012'] as const;

/** SQLSTATE of a savepoint that is not there. */
const NO_SAVEPOINT = ['3B001'] as const;

/** SQLSTATE of what is sent in a transaction that has failed. */
const HAS_FAILED = ['25P02'] as const;

const HARDLY_WAIT = `select set_config('landlord.lock_timeout', current_setting('lock_timeout'), true), set_config('lock_timeout', '50', true)`;

const WAIT_AGAIN = `select set_config('lock_timeout', current_setting('landlord.lock_timeout'), true)`;
